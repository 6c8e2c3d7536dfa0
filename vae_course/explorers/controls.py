"""Controls of the explorers: each with its name, wide enough to be dragged exactly."""

import ipywidgets


def _named(name, width, **style):
    return {
        "description": name,
        "tooltip": name,
        "layout": ipywidgets.Layout(width=width),
        "style": {"description_width": "90px", **style},
    }


def slider(name, low, high, value, step=0.01):
    """Return a slider for a real number, shown with two digits."""
    return ipywidgets.FloatSlider(
        value, min=low, max=high, step=step, readout_format=".2f", **_named(name, "340px")
    )


def whole_slider(name, low, high, value):
    """Return a slider for a whole number."""
    return ipywidgets.IntSlider(value, min=low, max=high, **_named(name, "340px"))


def choice(name, options, value, width):
    """Return a drop-down list of values of which one is chosen."""
    return ipywidgets.Dropdown(options=options, value=value, **_named(name, width))


def switch(name, options, width="110px"):
    """Return a row of buttons of which one is pressed, the first; `width` is that of each."""
    return ipywidgets.ToggleButtons(options=options, **_named(name, "auto", button_width=width))
