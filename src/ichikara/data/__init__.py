"""Floor 4: data sets, files, splits, scalers, loaders, and the vault of the test set. NumPy on the host only."""

from .dataset import Dataset
from .download import RemoteFile, cache_folder, fetch
from .files import load_csv, load_npz
from .inputs import load_inputs
from .loader import DataLoader, TextLoader
from .mnist import load_mnist, read_idx
from .registry import datasets, load
from .scale import MinMaxScaler, StandardScaler
from .sets import cubic, load_blobs, load_circles, load_cubic, load_digits, load_moons, load_spirals, load_xor
from .splits import Split, TrainTest, TrainValidation, split
from .text import CharVocabulary, load_tinyshakespeare, text_dataset
from .vault import Opening, TestVault

__all__ = [
    "Dataset",
    "datasets",
    "load",
    "load_digits",
    "load_moons",
    "load_circles",
    "load_spirals",
    "load_xor",
    "load_blobs",
    "load_cubic",
    "cubic",
    "load_mnist",
    "read_idx",
    "load_tinyshakespeare",
    "text_dataset",
    "CharVocabulary",
    "load_csv",
    "load_npz",
    "load_inputs",
    "Split",
    "TrainTest",
    "TrainValidation",
    "split",
    "StandardScaler",
    "MinMaxScaler",
    "DataLoader",
    "TextLoader",
    "TestVault",
    "Opening",
    "RemoteFile",
    "cache_folder",
    "fetch",
]
