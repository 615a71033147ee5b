"""The base of all models of config.yaml: unknown keys are refused."""

from pydantic import BaseModel, ConfigDict


class ClosedModel(BaseModel):
    """A frozen model that rejects unknown keys and converts no values."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
