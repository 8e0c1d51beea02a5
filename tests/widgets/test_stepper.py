"""The stepper's buttons go forward, back, to tensors, breakpoints and NaN, and never raise."""

from __future__ import annotations

import numpy as np
import pytest

import nnefkit as nk
from nnefkit.widgets import StepperPanel, stepper

GRAPH = nk.parse(
    "version 1.0; graph net(x) -> (d) { x = external(shape = [2]); a = relu(x); b = log(a);"
    " c = neg(b); d = exp(c); }"
)


@pytest.fixture
def panel() -> StepperPanel:
    return stepper(GRAPH, np.array([1.0, 4.0]))


def at(panel: StepperPanel) -> str:
    current = panel.steps.current
    return "" if current is None else next(iter(current.outputs))


def shown(panel: StepperPanel) -> str:
    return str(panel._repr_mimebundle_()["text/html"])


def pressed(panel: StepperPanel, name: str) -> None:
    buttons = [child for row in panel.children[:2] for child in row.children]
    (button,) = [each for each in buttons if getattr(each, "description", "") == name]
    if not button.disabled:
        button.click()


def test_forward_and_back_and_forward_again(panel: StepperPanel) -> None:
    seen = []
    for name in ("Back", "Step", "Step", "Step", "Back", "Back", "Step", "Step", "Step", "Step"):
        pressed(panel, name)
        seen.append(at(panel))
    assert seen == ["", "a", "b", "c", "b", "a", "b", "c", "d", "d"]
    np.testing.assert_allclose(panel.steps["d"], nk.run(GRAPH, [1.0, 4.0])["d"])
    assert "operation 4 of 4" in repr(panel)


def test_the_view_shows_the_operation_its_tensor_and_what_is_next(panel: StepperPanel) -> None:
    assert "0 of 4 operations computed" in shown(panel)
    panel.forward()
    page = shown(panel)
    assert "1 of 4 operations computed" in page
    assert ">relu<" in page
    assert ">a<" in page
    assert "b = log(a)" in page


def test_it_runs_to_a_tensor_and_back_to_it(panel: StepperPanel) -> None:
    panel.until("c")
    assert at(panel) == "c"
    panel.until("a")
    assert at(panel) == "a"


def test_breakpoints_stop_it_until_they_are_cleared(panel: StepperPanel) -> None:
    panel.break_at("b")
    pressed(panel, "Run")
    assert at(panel) == "b"
    assert "breakpoint: &#x27;b&#x27;" in shown(panel)
    pressed(panel, "Clear breakpoints")
    pressed(panel, "Run")
    assert at(panel) == "d"


def test_it_stops_at_nan() -> None:
    graph = nk.parse(
        "version 1.0; graph net(x) -> (c) { x = external(shape = [2]); a = neg(x); b = log(a);"
        " c = neg(b); }"
    )
    panel = stepper(graph, np.array([-1.0, 4.0]))
    (nan,) = [w for w in panel.children[0].children if w.description == "stop at NaN"]
    nan.value = True
    pressed(panel, "Run")
    assert at(panel) == "b"
    assert "1 NaN" in shown(panel)


@pytest.mark.parametrize("name", ["nothing", "x", ""])
def test_a_wrong_name_is_a_message_and_changes_nothing(panel: StepperPanel, name: str) -> None:
    panel.forward()
    for action in (panel.until, panel.break_at):
        action(name)
        assert 'role="alert"' in panel.children[2].value
        assert at(panel) == "a"
    panel.forward()
    assert panel.children[2].value == ""


def test_values_replaced_in_another_cell_are_used(panel: StepperPanel) -> None:
    panel.until("b")
    panel.steps.replace("b", [0.0, 0.0])
    panel.refresh()
    panel.go()
    assert panel.steps["d"].tolist() == [1.0, 1.0]


def test_wrong_inputs_are_refused() -> None:
    with pytest.raises(nk.InputError):
        stepper(GRAPH, np.zeros(3))
    with pytest.raises(nk.UnknownNameError):
        stepper(GRAPH, np.zeros(2), engine="nunpy")
