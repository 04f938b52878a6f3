"""What a person reads before giving a command: the numbers are those of the experiment."""

from hpo.config.reading import load_config
from hpo.events.steering import CommandName
from hpo.events.types import Decision, Status
from hpo.steering.consequences import consequences
from tests.events.test_state import Story
from tests.support.steps import STEPS


def test_the_numbers_are_those_of_the_experiment_and_every_command_has_its_sentence():
    story = Story()
    for trial in range(4):
        story.start(trial)
    story.end(0, Status.COMPLETED)
    story.report(1, 1, 0.5, Decision.PAUSE)
    story.end(1, Status.PAUSED)
    config = load_config(STEPS, "ASHA", random_seed=1, max_num_trials=40, grace_period_seconds=20)
    says = consequences(config, story.state)
    assert set(says) == set(CommandName)
    assert says["end"].startswith(
        "Ends 2 running trials, with up to 20 s to save and end each. 1 of 40 trials are done, 1 paused."
    )
    assert says["budget"].endswith("The limits are now max_num_trials=40.")
    for verb in (CommandName.STOP, CommandName.HOLD):
        assert "left out of comparisons" in says[verb]
