// jupyterlab-rise shows notebooks in a page of its own, which shares most of JupyterLab's modules with
// extensions, but not @jupyterlab/console. The manager of ipywidgets names that module, asks it for one token,
// which it can do without, and fails if it is missing (jupyterlab-contrib/rise, issue 119). Here is the module,
// with that token and nothing else. JupyterLab itself has the real one, and keeps it.
window._JUPYTERLAB = window._JUPYTERLAB || {};
window._JUPYTERLAB["vae-course-rise"] = {
  init(scope) {
    const name = "@jupyterlab/console";
    if (name in scope || !("jupyterlab-rise-application" in scope)) return;
    scope[name] = {
      "4.0.0": {
        from: "vae-course-rise",
        eager: false,
        get: async () => {
          const [coreutils] = Object.values(scope["@lumino/coreutils"]);
          const { Token } = (await coreutils.get())();
          const IConsoleTracker = new Token("@jupyterlab/console:IConsoleTracker");
          return () => ({ IConsoleTracker });
        },
      },
    };
  },
  get() {
    throw new Error("vae-course-rise has no plugin.");
  },
};
