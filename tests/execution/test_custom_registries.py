"""Registries of custom operations: passed to a call, put in effect by a block, side by side."""

import asyncio
import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

import nnefkit as nk

SCALED = "fragment scaled( x: tensor<scalar> ) -> ( y: tensor<scalar> );"
OTHER = "fragment other( x: tensor<scalar> ) -> ( y: tensor<scalar> );"
HEAD = "version 1.0;\nextension KHR_enable_fragment_definitions;\n"


def document(name="scaled", declaration=SCALED):
    return (
        f"{HEAD}{declaration}\ngraph net( x ) -> ( y ) {{ x = external<scalar>(shape = [3]);"
        f" y = {name}(x); }}"
    )


TEXT = document()
X = np.array([1, 2, 3], np.float32)


def scaling(factor, declaration=SCALED):
    """A registry in which an operation multiplies by `factor`, and has as many MACs."""
    registry = nk.CustomOperations()
    registry.register(
        declaration,
        shape=lambda x: x,
        kernel=lambda x: factor * x,
        macs=lambda inputs, outputs, attribs: factor,
    )
    return registry


TWICE, THRICE = scaling(2), scaling(3)


def result(graph, **options):
    return nk.run(graph, X, **options)["y"].tolist()


@pytest.fixture
def registered():
    """The same operation, registered for everything: it negates."""
    nk.register_operation(SCALED, shape=lambda x: x, kernel=lambda x: -x)
    yield
    nk.unregister_operation("scaled")


# -- passed to a call ---------------------------------------------------------------------------


def test_two_registries_define_the_same_name_side_by_side():
    graphs = [nk.parse(TEXT, custom_operations=each) for each in (TWICE, THRICE)]
    assert [graph.producers["y"].macs for graph in graphs] == [2, 3]
    for graph in graphs:
        assert result(graph, custom_operations=TWICE) == [2, 4, 6]
        assert result(graph, custom_operations=THRICE) == [3, 6, 9]
    both = [nk.Session(graphs[0], custom_operations=each) for each in (TWICE, THRICE)]
    for _ in range(2):
        assert [session.run(X)["y"].tolist() for session in both] == [[2, 4, 6], [3, 6, 9]]
        assert [session.trace(X)["y"].tolist() for session in both] == [[2, 4, 6], [3, 6, 9]]


def test_every_call_that_reads_or_runs_a_graph_takes_a_registry(tmp_path):
    graph = nk.parse(TEXT, custom_operations=TWICE)
    assert nk.trace(graph, X, custom_operations=TWICE)["y"].tolist() == [2, 4, 6]
    (step,) = nk.step(graph, X, custom_operations=TWICE)
    assert step.outputs["y"].tolist() == [2, 4, 6]
    nk.save(graph, tmp_path / "model")
    assert nk.load(tmp_path / "model", custom_operations=THRICE).producers["y"].macs == 3
    for source in (graph, TEXT, tmp_path / "model"):
        assert nk.validate(source, custom_operations=TWICE).notes == ()
        assert [note.code for note in nk.validate(source).notes] == ["unknown-shape"]
    larger = nk.infer_shapes(graph, custom_operations=TWICE, x=[5])
    assert larger.tensors["y"].shape == (5,)


@pytest.mark.parametrize("engine", ["onnxruntime", "torch", "auto"])
def test_fallbacks_take_kernels_from_it(engine):
    graph = nk.parse(TEXT.replace("scaled(x)", "scaled(neg(x))").replace(
        HEAD, HEAD + "extension KHR_enable_operator_expressions;\n"
    ), custom_operations=TWICE)  # fmt: skip
    options = {"engine": engine, "fallback": "numpy"}
    assert result(graph, custom_operations=THRICE, **options) == [-3, -6, -9]


def test_a_graph_holds_declarations_and_no_functions():
    graph = nk.parse(TEXT, custom_operations=TWICE)
    assert graph.declarations == (SCALED,)
    with pytest.raises(nk.ExecutionError, match=r"cannot run 'scaled'[\s\S]*custom_operations="):
        nk.run(graph, X)
    for same in (pickle.loads(pickle.dumps(graph)), copy.deepcopy(graph)):
        assert result(same, custom_operations=TWICE) == [2, 4, 6]


def test_quantization_algorithms_are_looked_up_in_the_registry():
    declaration = "fragment halves( x: tensor<scalar>, steps: integer ) -> ( y: tensor<scalar> );"
    registry = nk.CustomOperations()
    registry.register(declaration, shape=lambda x, steps: x, kernel=lambda x, steps: x.round())
    text = "version 1.0; graph g( x ) -> ( y ) { x = external(shape = [3]); y = relu(x); }"
    with registry:
        graph = nk.parse(f"{text}", '"y": halves(steps = 2);', strict=False)
        found = nk.run(graph, X + 0.25, quantized=True)
    np.testing.assert_array_equal(found["y"], X)


def test_anything_but_a_registry_is_refused():
    for call in (
        lambda: nk.parse(TEXT, custom_operations={}),
        lambda: nk.Session(nk.parse(TEXT), custom_operations="scaled"),
        lambda: nk.validate(TEXT, custom_operations=3),
    ):
        with pytest.raises(nk.InputError, match=r"'custom_operations' must be an nk.CustomOpera"):
            call()


# -- put in effect by a block -------------------------------------------------------------------


def test_a_block_is_like_passing_it_to_every_call_inside():
    with TWICE as entered:
        assert entered is TWICE
        graph = nk.parse(TEXT)
        assert result(graph) == [2, 4, 6]
        assert "scaled" in nk.engines()["numpy"].operations
        assert nk.lower(graph).producers["y"].macs == 2
    assert "scaled" not in nk.engines()["numpy"].operations
    with pytest.raises(nk.ExecutionError):
        nk.run(graph, X)


def test_inner_blocks_come_first_and_outer_ones_stay_in_effect():
    other = scaling(10, OTHER)
    graph, second = nk.parse(TEXT), nk.parse(document("other", OTHER))
    with TWICE, other:
        with THRICE:
            assert result(graph) == [3, 6, 9]
            assert result(second) == [10, 20, 30]
            with TWICE:
                assert result(graph) == [2, 4, 6]
            assert result(graph) == [3, 6, 9]
            assert result(graph, custom_operations=TWICE) == [2, 4, 6]
        assert result(graph) == [2, 4, 6]


def test_global_registrations_are_looked_up_last(registered):
    graph = nk.parse(TEXT)
    assert result(graph) == [-1, -2, -3]
    assert result(graph, custom_operations=TWICE) == [2, 4, 6]
    assert result(graph, custom_operations=nk.CustomOperations()) == [-1, -2, -3]


def test_an_exception_ends_the_block(registered):
    graph = nk.parse(TEXT)
    with pytest.raises(ZeroDivisionError), TWICE, THRICE:
        raise ZeroDivisionError
    assert result(graph) == [-1, -2, -3]
    with pytest.raises(nk.InputError):
        nk.run(graph, [1], custom_operations=TWICE)
    assert result(graph) == [-1, -2, -3]


def test_threads_do_not_see_each_others_blocks():
    graph, count = nk.parse(TEXT), 8
    barrier = Barrier(count)

    def work(number):
        with scaling(number):
            barrier.wait()
            first = result(graph)
            barrier.wait()
            return first, result(graph)

    with TWICE, ThreadPoolExecutor(count) as pool:
        for number, (first, second) in enumerate(pool.map(work, range(count))):
            assert first == second == [number, 2 * number, 3 * number]
        assert result(graph) == [2, 4, 6]
        with pytest.raises(nk.ExecutionError):
            pool.submit(result, graph).result()


def test_asynchronous_tasks_do_not_see_each_others_blocks():
    graph = nk.parse(TEXT)

    async def work(number):
        with scaling(number):
            await asyncio.sleep(0.01 * (3 - number))
            return result(graph)

    async def all_of_them():
        with TWICE:
            found = await asyncio.gather(*map(work, range(3)))
            return found, result(graph)

    # In a separate thread: a browser of other tests may keep this one's event loop running.
    with ThreadPoolExecutor(1) as pool:
        results = pool.submit(lambda: asyncio.run(all_of_them())).result()
    assert results == ([[0, 0, 0], [1, 2, 3], [2, 4, 6]], [2, 4, 6])


def test_a_session_uses_the_operations_in_effect_when_it_was_made():
    registry = scaling(2)
    with registry:
        session = nk.Session(nk.parse(TEXT))
        steps = nk.step(nk.parse(TEXT), X)
    registry.register(SCALED, kernel=lambda x: x * 0)
    with THRICE:
        assert session.run(X)["y"].tolist() == [2, 4, 6]
        assert session.trace(X)["y"].tolist() == [2, 4, 6]
        assert [step.outputs["y"].tolist() for step in steps] == [[2, 4, 6]]
    registry.unregister("scaled")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(session.run, X, "x").result()["x"].tolist() == [1, 2, 3]


# -- what a registry holds ----------------------------------------------------------------------


def test_it_is_a_mapping_of_what_is_registered():
    registry = nk.CustomOperations()
    assert repr(registry) == "<no custom operations>"
    operation = registry.register(SCALED, kernel=np.negative)
    registry.register("other")
    assert list(registry) == ["scaled", "other"]
    assert "scaled" in registry
    assert "third" not in registry
    assert registry["scaled"].declaration == operation.declaration == SCALED
    assert repr(registry) == (
        f"<custom operation with kernel: {SCALED}>\n<custom operation without a kernel: other>"
    )
    with pytest.raises(nk.UnknownNameError, match="Did you mean 'scaled'"):
        registry["scalled"]
    with pytest.raises(nk.UnknownNameError, match="Did you mean 'other'"):
        registry.unregister("othr")
    registry.unregister("other")
    assert list(registry) == ["scaled"]


def test_functions_can_be_added_by_any_handle_until_the_name_is_registered_again():
    registry = nk.CustomOperations()
    first = registry.register(SCALED)

    @registry["scaled"].kernel
    def kernel(x):
        return x + 1

    first.shape(lambda x: x)
    assert repr(first) == repr(registry["scaled"])
    assert "shape rule and kernel" in repr(first)
    assert result(nk.parse(TEXT), custom_operations=registry) == [2, 3, 4]
    registry.register(SCALED)
    with pytest.raises(nk.UnknownNameError, match="registered again"):
        first.kernel(kernel)
    assert "without a kernel" in repr(first)


def test_registries_of_one_name_do_not_share_entries():
    first, second = scaling(1), scaling(2)
    first.unregister("scaled")
    assert list(second) == ["scaled"]
    assert list(nk.CustomOperations()) == []


def test_standard_operations_cannot_be_defined_and_stay_untouched():
    registry = nk.CustomOperations()
    with pytest.raises(nk.InputError, match="'relu' is a standard operation"):
        registry.register("relu", kernel=np.negative)
    before = nk.engines()["numpy"].operations
    with scaling(2):
        pass
    assert nk.engines()["numpy"].operations == before


def test_declarations_of_a_registry_are_checked_against_the_document():
    registry = scaling(2, SCALED.replace("x:", "value:"))
    with pytest.raises(nk.DocumentError, match="with other parameters"):
        nk.parse(TEXT, custom_operations=registry)
    undeclared = TEXT.replace(HEAD + SCALED, "version 1.0;")
    with pytest.raises(nk.DocumentError, match="the document must declare it"):
        nk.parse(undeclared, custom_operations=TWICE)
    graph = nk.parse(undeclared, strict=False, custom_operations=TWICE)
    assert graph.declarations == (SCALED,)
