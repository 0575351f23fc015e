"""The loop that most reproductions use, for comparison, and their networks in torch.nn's own layers.

A torchvision dataset decodes and normalizes image by image, a DataLoader collates, the optimizer is
`torch.optim.SGD`, and every step waits for its loss and its hits, as in the first author's code
(pluskid/fitting-random-labels).
"""

import itertools
import resource
import time

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, RandomSampler
from torchvision import transforms
from torchvision.datasets import VisionDataset

BATCH = 128


class Pictures(VisionDataset):
    """Images (N, 32, 32, 3) uint8 with labels, handed out as `torchvision.datasets.CIFAR10` does."""

    def __init__(self, images: np.ndarray, labels: np.ndarray):
        steps = [
            transforms.CenterCrop(28),
            transforms.ToTensor(),
            transforms.Normalize((0.491, 0.482, 0.447), (0.247, 0.243, 0.262)),
        ]
        super().__init__("", transform=transforms.Compose(steps))
        self.data, self.targets = images, labels.tolist()

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.data[index])), self.targets[index]


def processor_seconds() -> float:
    """Return what this process and those that it has waited for have used."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(entry.ru_utime + entry.ru_stime for entry in usage)


class StandardLoop:
    """Trains a network the usual way, with so many workers that load images."""

    def __init__(self, network: nn.Module, pictures: Pictures, device: torch.device):
        self.network, self.pictures, self.device = network.to(device), pictures, device
        self.optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)

    def rate(self, steps: int, workers: int) -> tuple[float, float]:
        """Return images per processor second and per second of `steps` steps."""
        sampler = RandomSampler(self.pictures, num_samples=steps * BATCH)
        loader = DataLoader(
            self.pictures,
            batch_size=BATCH,
            sampler=sampler,
            num_workers=workers,
            pin_memory=self.device.type == "cuda",
        )
        processor, wall = processor_seconds(), time.perf_counter()
        self.network.train()
        loss_sum = hits = 0.0
        for images, labels in loader:
            images, labels = images.to(self.device), labels.to(self.device)
            logits = self.network(images)
            loss = F.cross_entropy(logits, labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss_sum += loss.item()
            hits += (logits.argmax(1) == labels).sum().item()
        count = steps * BATCH
        return count / (processor_seconds() - processor), count / (time.perf_counter() - wall)


def perceptron(hidden: int) -> nn.Module:
    """Return the MLP with so many hidden layers of 512."""
    widths = [28 * 28 * 3] + hidden * [512]
    layers = [
        layer for pair in itertools.pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())
    ]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(512, 10))


def alexnet() -> nn.Module:
    """Return the small AlexNet: two modules of convolution, pooling, normalization; 384, 192."""

    def module(inputs: int) -> list[nn.Module]:
        pooling = [nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(3, 2)]
        return [
            nn.Conv2d(inputs, 64, 5, padding=2),
            nn.ReLU(),
            *pooling,
            nn.LocalResponseNorm(9, 0.009, 0.75, 1.0),
        ]

    dense = [nn.Linear(64 * 7 * 7, 384), nn.ReLU(), nn.Linear(384, 192), nn.ReLU()]
    return nn.Sequential(*module(3), *module(64), nn.Flatten(), *dense, nn.Linear(192, 10))


class Parallel(nn.Module):
    """Layers side by side on the same maps, their outputs joined."""

    def __init__(self, *branches: nn.Module):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([branch(maps) for branch in self.branches], dim=1)


def inception(normalized: bool) -> nn.Module:
    """Return the small Inception of the paper's Figure 3."""

    def conv(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Module:
        padding = size // 2 if stride == 1 else 1
        layers = [nn.Conv2d(inputs, outputs, size, stride, padding, bias=not normalized)]
        if normalized:
            layers.append(nn.BatchNorm2d(outputs))
        return nn.Sequential(*layers, nn.ReLU())

    def module(inputs: int, one: int, three: int) -> nn.Module:
        return Parallel(conv(inputs, one, 1), conv(inputs, three, 3))

    def halve(inputs: int, outputs: int) -> nn.Module:
        return Parallel(conv(inputs, outputs, 3, 2), nn.MaxPool2d(3, 2, padding=1))

    return nn.Sequential(
        conv(3, 96, 3),
        module(96, 32, 32),
        module(64, 32, 48),
        halve(80, 80),
        module(160, 112, 48),
        module(160, 96, 64),
        module(160, 80, 80),
        module(160, 48, 96),
        halve(144, 96),
        module(240, 176, 160),
        module(336, 176, 160),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(336, 10),
    )


NETWORKS = {
    "mlp_1x512": lambda: perceptron(1),
    "mlp_3x512": lambda: perceptron(3),
    "alexnet": alexnet,
    "inception": lambda: inception(True),
    "inception_no_bn": lambda: inception(False),
}
