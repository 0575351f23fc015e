"""The types of a preset's values, shared by all its sections."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from rethink import corruption_names, regularizers
from rethink.errors import suggest
from rethink.models.catalog import MODELS

NAME = re.compile(r"[a-z][a-z0-9_-]*")


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"should be a number, not {str(value).lower()}")
    return value


def _plain_name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError(f"'{value}' is no name: use small letters, digits, '_' and '-'")
    return value


def _known_model(name: str) -> str:
    if name not in MODELS:
        raise ValueError(f"unknown model '{name}'{suggest(name, MODELS)}")
    return name


def _known_regularizer(name: str, info: ValidationInfo) -> str:
    known = (info.context or {}).get("regularizers", regularizers.BUILT_IN)
    return regularizers.canonical(name, known)


def _known_dataset(name: str, info: ValidationInfo) -> str:
    known = (info.context or {}).get("datasets", ())
    if name not in known:
        raise ValueError(f"unknown dataset '{name}'{suggest(name, known)}")
    if name == "imagefolder" and name not in (info.context or {}).get("described", ()):
        raise ValueError("dataset 'imagefolder' needs an entry under 'datasets' with 'folder'")
    return name


Number = Annotated[float, BeforeValidator(_no_boolean), Field(allow_inf_nan=False)]
Whole = Annotated[int, BeforeValidator(_no_boolean)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Count = Annotated[Whole, Field(ge=1)]
Name = Annotated[str, AfterValidator(_plain_name)]
DatasetName = Annotated[str, AfterValidator(_known_dataset)]
ModelName = Annotated[str, AfterValidator(_known_model)]
CorruptionName = Annotated[str, AfterValidator(corruption_names.canonical)]
RegularizerName = Annotated[str, AfterValidator(_known_regularizer)]


class Section(BaseModel):
    """A part of a preset: unknown keys are mistakes, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
