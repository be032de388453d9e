"""Networks on disk: safetensors for the numbers, the architecture as its metadata."""

import json
import os

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from pruning.models.architecture import Architecture
from pruning.models.build import from_architecture, names
from pruning.models.norms import norm_options, set_norm_options


def save(net: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write ``net``, pruned or not, to one safetensors file. Raises TypeError for a network without an architecture."""
    architecture = getattr(net, "architecture", None)
    if not isinstance(architecture, Architecture) or architecture.name not in names():
        raise TypeError(f"{type(net).__name__} has no architecture to save; store its state_dict instead")
    metadata = {"architecture": json.dumps(architecture.to_dict()), "norms": json.dumps(norm_options(net))}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    save_file(tensors, path, metadata=metadata)


def load(path: str | os.PathLike[str]) -> nn.Module:
    """The network that :func:`save` wrote, on the CPU. Raises ValueError where the file is something else."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file ({error})") from error
    if not {"architecture", "norms"} <= set(metadata):
        raise ValueError(f"{path} holds tensors but no architecture; it was not written by pruning.models.save")
    net = from_architecture(Architecture.from_dict(json.loads(metadata["architecture"])))
    tensors = load_file(path)
    for name, tensor in net.state_dict(keep_vars=True).items():
        tensor.data = tensor.data.to(tensors[name].dtype)
    net.load_state_dict(tensors)
    set_norm_options(net, json.loads(metadata["norms"]))
    return net
