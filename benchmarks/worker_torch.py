"""Train the same network in PyTorch, written as its users would write it, in turns."""

import psutil
import torch
from torch import nn

from vae_course.data import load_digits


class TorchVAE(nn.Module):
    """The lecture's encoder and decoder; images have shape `(batch, 1, 28, 28)`."""

    def __init__(self, latent_dim):
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Flatten(),
        )
        self.z_mean = nn.Linear(7 * 7 * 32, latent_dim)
        self.z_log_var = nn.Linear(7 * 7 * 32, latent_dim)
        self.decoder = nn.Sequential(
            *(nn.Linear(latent_dim, 7 * 7 * 32), nn.ReLU(), nn.Unflatten(1, (32, 7, 7))),
            *(nn.ConvTranspose2d(32, 32, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2)),
            *(nn.ConvTranspose2d(32, 16, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2)),
            *(nn.ConvTranspose2d(16, 1, 3, padding=1), nn.Sigmoid()),
        )
        for weights in self.parameters():  # initialized as in Keras, Glorot and zero biases
            nn.init.xavier_uniform_(weights) if weights.ndim > 1 else nn.init.zeros_(weights)

    def forward(self, images):
        """Return the loss: squared error + KL, both summed per image and averaged over the batch."""
        x = self.features(images)
        z_mean, z_log_var = self.z_mean(x), self.z_log_var(x)
        z = z_mean + torch.exp(0.5 * z_log_var) * torch.randn_like(z_mean)
        error = (images - self.decoder(z)).square().sum(dim=(1, 2, 3))
        kl = 0.5 * (z_log_var.exp() + z_mean.square() - 1 - z_log_var).sum(dim=1)
        return (error + kl).mean()


def train_epoch(model, optimizer, images):
    """Train on every image once, in random order, and return the mean loss."""
    total = torch.zeros(())
    for batch in torch.randperm(len(images)).split(64):
        optimizer.zero_grad()
        loss = model(images[batch])
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(batch)
    return float(total) / len(images)


def train(channel, seed, turns, images, dataset="mnist", latent_dim=100):
    """Train for `turns` epochs of `images` images."""
    torch.set_num_threads(psutil.cpu_count(logical=False) or psutil.cpu_count())
    torch.manual_seed(seed)
    x_train = load_digits(dataset).x_train[:images].copy()
    x_train = torch.from_numpy(x_train).permute(0, 3, 1, 2).contiguous()  # (n, 1, 28, 28)
    channel.start_clock()
    model = TorchVAE(latent_dim)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    parameters = sum(weights.numel() for weights in model.parameters())
    for _ in range(turns):
        channel.begin(turns=turns, parameters=parameters)
        channel.end(loss=train_epoch(model, optimizer, x_train))
    channel.done()
