from vae_course.explorers.latent_map import LatentMap
