"""Floor 0: what a person reads, in English and Japanese.

The texts are in TOML files beside this one, both languages of a text side by side:

    [scaling.title]
    en = "The inputs are not scaled"
    ja = "入力がスケーリングされていません"
"""

from .catalogue import LANGUAGES, in_language, language_of, say, texts, texts_of

__all__ = ["LANGUAGES", "in_language", "language_of", "say", "texts", "texts_of"]
