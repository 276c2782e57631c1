"""TorchScript (`torch.jit.save`) and exported programs (`torch.export.save`, .pt2)."""

from . import flavours, model


def load(path, declared):
    import torch

    if declared is None:
        raise ValueError(f"a PyTorch model: {flavours.UNSIGNED}")
    torch.set_num_threads(1)
    if path.suffix == ".pt2":
        module = torch.export.load(str(path)).module()
    else:
        module = _script(torch, path)
    order = [one["name"] for one in declared["inputs"]]
    halves = {one["name"] for one in declared["inputs"] if one["datatype"] == "BF16"}
    names = [one["name"] for one in declared["outputs"]]

    def call(inputs, _wanted):
        with torch.inference_mode():
            given = {name: torch.from_numpy(inputs[name]) for name in order}
            return model.to_results(module(*(given[name].bfloat16() if name in halves else given[name] for name in order)), names)

    return model.Model(declared, call, f"torch {torch.__version__}")


def _script(torch, path):
    try:
        return torch.jit.load(str(path), map_location="cpu").eval()
    except RuntimeError as problem:
        raise ValueError(
            f"{path.name} holds no program of TorchScript: save it by torch.jit.save(torch.jit.script(model), …), or by "
            "torch.export.save(torch.export.export(model, …), …) as .pt2"
        ) from problem
