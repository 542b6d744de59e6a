"""The names that people and scripts outside rely on in the tracking store."""

from __future__ import annotations

KIND = "pipeline.kind"
STUDY = "pipeline.study"
TRIAL = "pipeline.trial"
STATE = "pipeline.state"
REASON = "pipeline.reason"
BASELINE = "pipeline.baseline"
REPORTED_ON = "pipeline.reported_on"  # the images that reported_accuracy was measured on
SEED = "pipeline.seed"  # of the training itself
FINGERPRINT = "pipeline.fingerprint"  # the same where a training would only repeat another one
DEATHS = "pipeline.deaths"  # workers that died in a training
MAX_DEATHS = 3  # then it fails
OWNER = "pipeline.owner"  # the process that is responsible for a run
REPEAT_OF = "pipeline.repeat_of"
LEADERBOARD_FILE = "leaderboard.csv"
HAND_MADE_FILE = "hand_made.yaml"
LEADERBOARD_KINDS = ("trial", "baseline", "repeat")  # kinds of runs that a leaderboard lists
FITTING_KINDS = (*LEADERBOARD_KINDS, "finalist", "refit")  # kinds of runs in which a network is trained
CHILD_KINDS = (*FITTING_KINDS, "final")  # kinds of runs that a command makes under its own
FINALIST_OF = "pipeline.finalist_of"  # the training that a finalist repeats with another seed
TEST_OPENINGS = "pipeline.test_openings"  # how often test images were opened for a study
OPENINGS_FILE = "test_openings.csv"
ARCHITECTURE_FILE = "architecture.txt"
CHECKPOINTS_FOLDER = "checkpoints"  # networks of the epochs that were better than all before, where asked for
SCHEDULE_FILE = "schedule.json"  # of each fold: how its learning-rate schedule advanced over its steps
FINALISTS_FILE = "finalists.csv"
MAX_TAG = 4000  # signs of a tag's value: longer ones are cut off
SPLIT = "pipeline.split_digest"  # figures are comparable where it is the same
RUNG = "pipeline.rung"  # of a bracket, from 0; or that of the final training:
FINAL_RUNG = "final"
BUDGET_SECONDS = "pipeline.budget_seconds"
BUDGET_EPOCHS = "pipeline.budget_epochs"
MODEL = "pipeline.model"  # "removed" where the model of a trial was one too many
ORIGIN = "pipeline.origin"  # where a trial's configuration comes from
PARENT_TRIAL = "pipeline.parent_trial"
