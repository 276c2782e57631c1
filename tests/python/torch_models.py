"""Writes models of PyTorch in the formats that are served, each in a folder of its own, and prints what each predicts here."""

import json
import pathlib
import sys
import warnings

import mlflow
import torch
from mlflow.models import infer_signature

warnings.filterwarnings("ignore")
folder = pathlib.Path(sys.argv[1])
torch.manual_seed(0)
rows = torch.randn(5, 3)
scale = torch.tensor([[1.0], [2.0], [-1.0], [0.5], [0.0]])


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(3, 2)

    def forward(self, x, scale):
        y = self.inner(x) * scale
        return y, y.argmax(dim=1)


class Matrix(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))

    def forward(self, x):
        return self.layers(x)


def place(name, file):
    (folder / name).mkdir(parents=True)
    return str(folder / name / file)


net, matrix = Net().eval(), Matrix().eval()
torch.jit.script(net).save(place("scripted", "model.pt"))
torch.jit.trace(net, (rows, scale)).save(place("traced", "model.pth"))
row = torch.export.Dim("row")
exported = torch.export.export(net, (rows, scale), dynamic_shapes=({0: row}, {0: row}))
torch.export.save(exported, place("exported", "model.pt2"))
torch.save(net.state_dict(), place("weights", "model.pt"))
with torch.inference_mode():
    y, best = net(rows, scale)
    predictions = matrix(rows)
signature = infer_signature(rows.numpy(), predictions.numpy())
mlflow.pytorch.save_model(matrix, str(folder / "mlflow"), signature=signature, input_example=rows.numpy(), pip_requirements=[])
print(
    json.dumps(
        {
            "rows": rows.flatten().tolist(),
            "scale": scale.flatten().tolist(),
            "y": y.flatten().tolist(),
            "best": best.tolist(),
            "matrix": predictions.flatten().tolist(),
        }
    )
)
