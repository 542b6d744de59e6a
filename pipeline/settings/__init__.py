"""The settings of the commands: their options, described and validated here alone."""

from pipeline.settings.base import CommandSettings, make_settings
from pipeline.settings.doctor import DoctorSettings
from pipeline.settings.promotion import PredictSettings, PromoteSettings, RollbackSettings
from pipeline.settings.search import OBJECTIVES, PRUNERS, SAMPLERS, SearchSettings
from pipeline.settings.training import (
    BaselineSettings,
    DataSettings,
    JobSettings,
    TrainingSettings,
    TrainSettings,
)

__all__ = [
    "OBJECTIVES",
    "PRUNERS",
    "SAMPLERS",
    "BaselineSettings",
    "CommandSettings",
    "DataSettings",
    "DoctorSettings",
    "JobSettings",
    "PredictSettings",
    "PromoteSettings",
    "RollbackSettings",
    "SearchSettings",
    "TrainSettings",
    "TrainingSettings",
    "make_settings",
]
