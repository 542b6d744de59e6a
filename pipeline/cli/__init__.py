"""The command line: one file a command; errors become one line and an exit code."""

from __future__ import annotations

import os
import sys

import click

from pipeline import __version__
from pipeline.cli.baselines import baselines
from pipeline.cli.doctor import doctor
from pipeline.cli.mlflow_run import end_with_mlflow_run
from pipeline.cli.predict import predict
from pipeline.cli.promote import promote
from pipeline.cli.rollback import rollback
from pipeline.cli.search import search
from pipeline.cli.train import train
from pipeline.errors import PipelineError
from pipeline.interrupts import EXIT_INTERRUPTED, end_now, handle_interrupts
from pipeline.masking import mask_passwords
from pipeline.paths import note_caller

CONTEXT = {
    "token_normalize_func": lambda token: token.replace("_", "-"),  # `mlflow run -P a_b=c` passes `--a_b c` on
    "help_option_names": ["-h", "--help"],
    "max_content_width": 110,
}


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="knobsearch")
def cli() -> None:
    """Search hyperparameters of Keras image classifiers with Optuna and track every trial in MLflow."""


for command in (search, baselines, train, promote, rollback, predict, doctor):
    cli.add_command(command)


def main() -> None:
    """Run the command line and end the process with the contract's exit codes."""
    # Libraries read these when they are imported; what the user has set stays.
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # of 7, over minutes; what is written has an outbox
    handle_interrupts()
    end_with_mlflow_run()
    note_caller()
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except PipelineError as error:
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted; the same command goes on where it stopped")
        end_now(EXIT_INTERRUPTED)
    except Exception as error:
        from pipeline.cli.failures import describe_unforeseen, log_of_command

        _fail(describe_unforeseen(error, log_of_command()), PipelineError.exit_code)


def _fail(message: str, code: int) -> None:
    _say(message)
    sys.exit(code)


def _say(message: str) -> None:
    line = " ".join(message.split())  # even where a value has several
    shown = "".join(sign if sign.isprintable() else "?" for sign in mask_passwords(line))
    click.echo(f"error: {shown}", err=True)
