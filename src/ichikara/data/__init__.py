"""Floor 4: data sets, files, splits, scalers, loaders, and the vault of the test set. NumPy on the host only."""

from .augment import Compose, CutOut, Elastic, Flip, Noise, Rotate, Scale, Shift
from .dataset import Dataset
from .download import RemoteFile, cache_folder, fetch
from .files import load_csv, load_npz
from .folds import Fold, k_folds
from .functions import curve, load_curve, load_surface, surface
from .inputs import load_inputs
from .loader import DataLoader, TextLoader
from .mixup import MixUpLoader, mix_up
from .mnist import load_mnist, read_idx
from .registry import datasets, load
from .scale import MinMaxScaler, StandardScaler
from .sequences import load_adding, load_reverse
from .sets import cubic, load_blobs, load_circles, load_cubic, load_digits, load_moons, load_spirals, load_xor
from .splits import Split, TrainTest, TrainValidation, split
from .table import Column, Table
from .text import CharVocabulary, load_text, load_tinyshakespeare, text_dataset
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
    "load_adding",
    "load_reverse",
    "load_curve",
    "load_surface",
    "curve",
    "surface",
    "load_text",
    "load_tinyshakespeare",
    "text_dataset",
    "CharVocabulary",
    "load_csv",
    "load_npz",
    "load_inputs",
    "Table",
    "Column",
    "Split",
    "TrainTest",
    "TrainValidation",
    "split",
    "StandardScaler",
    "MinMaxScaler",
    "DataLoader",
    "TextLoader",
    "Compose",
    "Rotate",
    "Shift",
    "Scale",
    "Flip",
    "Elastic",
    "Noise",
    "CutOut",
    "mix_up",
    "MixUpLoader",
    "Fold",
    "k_folds",
    "TestVault",
    "Opening",
    "RemoteFile",
    "cache_folder",
    "fetch",
]
