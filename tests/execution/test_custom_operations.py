"""Custom operations: registered ones are as good as standard ones, opaque ones are only stored."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnefkit as nk

SWISH = "fragment swish_n<?>( x: tensor<?>, n: integer = 1 ) -> ( y: tensor<?> );"
HEAD = "version 1.0;\nextension KHR_enable_fragment_definitions;\n"
BODY = """graph net( x ) -> ( z )
{
    x = external<scalar>(shape = [2, 3]);
    a = exp(x);
    y = swish_n(a, n = 2);
    z = relu(y);
}
"""
DECLARED = HEAD + SWISH + BODY
UNDECLARED = "version 1.0;\n" + BODY
X = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
NAMES = ("swish_n", "pair", "parts", "join", "scaled", "gap", "my_quantize")


@pytest.fixture(autouse=True)
def nothing_registered_afterwards():
    yield
    for name in NAMES:
        with suppress(nk.UnknownNameError):
            nk.unregister_operation(name)


def swish(x, n):
    return x / (1 + np.exp(-n * x))


def same(x, n=1):
    return x


def register(**given):
    return nk.register_operation(SWISH, **{"shape": same, "kernel": swish, **given})


EXPECTED = swish(np.exp(X), 2)


# -- documents that declare it -----------------------------------------------------------------


def test_registered_operations_are_run_traced_and_compared():
    register(macs=lambda inputs, outputs, attribs: 4 * int(np.prod(outputs[0])))
    graph = nk.parse(DECLARED)
    assert graph.tensors["z"].shape == (2, 3)
    assert graph.producers["y"].macs == 24
    np.testing.assert_allclose(nk.run(graph, X)["z"], EXPECTED, rtol=1e-6)
    trace = nk.trace(graph, X)
    np.testing.assert_allclose(trace["y"], EXPECTED, rtol=1e-6)
    assert nk.compare(trace, nk.trace(graph, X))["y"].ok
    (step,) = [s for s in nk.step(graph, X) if s.operation.name == "swish_n"]
    np.testing.assert_allclose(step.outputs["y"], EXPECTED, rtol=1e-6)


def test_registered_operations_are_valid_shown_saved_and_loaded(tmp_path):
    register()
    graph = nk.parse(DECLARED)
    assert "swish_n" in repr(graph)
    assert "swish_n" in graph._repr_html_()
    nk.save(graph, tmp_path / "model")
    assert nk.validate(tmp_path / "model").ok
    again = nk.load(tmp_path / "model")
    assert str(again) == str(graph)
    np.testing.assert_array_equal(nk.run(again, X)["z"], nk.run(graph, X)["z"])


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_other_engines_refuse_it_by_name_and_fall_back_to_numpy(engine):
    register()
    graph = nk.parse(DECLARED)
    with pytest.raises(nk.ExecutionError, match=r"cannot run 'swish_n'[\s\S]*fallback='numpy'"):
        nk.run(graph, X, engine)
    results = nk.run(graph, X, engine, fallback="numpy")
    np.testing.assert_allclose(results["z"], EXPECTED, rtol=1e-5)


def test_running_a_cell_twice_replaces_its_registrations():
    register()
    register(kernel=lambda x, n: x * n)
    np.testing.assert_allclose(nk.run(nk.parse(DECLARED), X)["z"], 2 * np.exp(X), rtol=1e-6)


def test_registering_again_removes_all_of_an_earlier_registration():
    register()
    nk.register_operation(SWISH, kernel=swish)
    assert nk.parse(DECLARED).tensors["y"].shape is None


def test_a_registered_operation_can_be_unregistered():
    register()
    nk.unregister_operation("swish_n")
    with pytest.raises(nk.ExecutionError, match="cannot run 'swish_n'"):
        nk.run(nk.parse(DECLARED), X)
    with pytest.raises(nk.UnknownNameError, match="swish_n"):
        nk.unregister_operation("swish_n")


def test_the_name_is_enough_where_documents_declare_it():
    operation = nk.register_operation("swish_n", shape=same, kernel=swish)
    assert "shape rule and kernel" in repr(operation)
    np.testing.assert_allclose(nk.run(nk.parse(DECLARED), X)["z"], EXPECTED, rtol=1e-6)


def test_rules_and_kernels_can_be_given_as_decorators():
    operation = nk.register_operation(SWISH)

    @operation.shape
    def shape(x, n):
        return x

    @operation.kernel
    def kernel(x, n):
        return swish(x, n)

    @operation.macs
    def macs(inputs, outputs, attribs):
        return attribs["n"]

    assert kernel(np.float32(0.0), 1) == 0
    graph = nk.parse(DECLARED)
    assert graph.producers["y"].macs == 2
    np.testing.assert_allclose(nk.run(graph, X)["z"], EXPECTED, rtol=1e-6)


def test_a_replaced_registration_accepts_no_more_functions():
    old = register()
    register()
    with pytest.raises(nk.UnknownNameError, match="registered again"):
        old.kernel(swish)


def test_defaults_come_from_the_declaration_of_the_document():
    register()
    text = HEAD + SWISH.replace("= 1", "= 3") + BODY.replace(", n = 2", "")
    np.testing.assert_allclose(nk.run(nk.parse(text), X)["z"], swish(np.exp(X), 3), rtol=1e-6)


def test_a_kernel_with_a_dtype_parameter_gets_the_data_type():
    dtypes = []

    def kernel(x, n, dtype):
        dtypes.append(dtype)
        return x

    register(kernel=kernel)
    nk.run(nk.parse(DECLARED), X)
    text = DECLARED.replace("external<scalar>", "external<integer>").replace("exp(x)", "copy(x)")
    graph = nk.parse(text.replace("relu", "copy"))
    assert nk.run(graph, X.astype(np.int64))["z"].dtype == np.int64
    assert dtypes == ["scalar", "integer"]


def test_literals_several_results_and_arrays_of_tensors_reach_the_kernel():
    nk.register_operation(
        "fragment pair( x: tensor<scalar>, y: tensor<scalar> ) "
        "-> ( s: tensor<scalar>, i: tensor<integer> );",
        shape=lambda x, y: (x, [len(x)]),
        kernel=lambda x, y: (x + y, np.arange(x.ndim)),
    )
    nk.register_operation(
        "fragment parts( x: tensor<scalar>, count: integer ) -> ( parts: tensor<scalar>[] );",
        shape=lambda x, count: [x] * count,
        kernel=lambda x, count: [x * i for i in range(count)],
    )
    nk.register_operation(
        "fragment join( parts: tensor<scalar>[] ) -> ( y: tensor<scalar> );",
        shape=lambda parts: parts[0],
        kernel=lambda parts: sum(parts),
    )
    text = (
        HEAD
        + "fragment pair( x: tensor<scalar>, y: tensor<scalar> ) "
        + "-> ( s: tensor<scalar>, i: tensor<integer> );"
        + "fragment parts( x: tensor<scalar>, count: integer ) -> ( parts: tensor<scalar>[] );"
        + "fragment join( parts: tensor<scalar>[] ) -> ( y: tensor<scalar> );"
        + "graph net( x ) -> ( z, i ) { x = external<scalar>(shape = [2, 3]);"
        + "s, i = pair(x, 1.0); [a, b, c] = parts(s, count = 3); z = join([a, b, c, 0.5]); }"
    )
    graph = nk.parse(text)
    assert graph.tensors["c"].shape == (2, 3)
    assert graph.tensors["i"].shape == (2,)
    results = nk.run(graph, X)
    np.testing.assert_allclose(results["z"], 3 * (X + 1) + 0.5, rtol=1e-6)
    np.testing.assert_array_equal(results["i"], [0, 1])


@given(st.lists(st.integers(1, 4), max_size=4), st.integers(-3, 3))
def test_any_shape_and_attribute_reaches_rule_and_kernel(shape, factor):
    declaration = "fragment scaled( x: tensor<scalar>, n: integer ) -> ( y: tensor<scalar> );"
    nk.register_operation(
        declaration, shape=lambda x, n: [*x, 2], kernel=lambda x, n: np.stack([x, x * n], -1)
    )
    graph = nk.parse(
        f"{HEAD}{declaration} graph net( x ) -> ( y ) {{ x = external<scalar>(shape = {shape});"
        f" y = scaled(x, n = {factor}); }}"
    )
    assert graph.tensors["y"].shape == (*shape, 2)
    x = np.full(shape, 2.0, np.float32)
    np.testing.assert_array_equal(nk.run(graph, x)["y"], np.stack([x, x * factor], -1))


# -- documents that do not declare it ----------------------------------------------------------


def test_a_document_must_declare_registered_operations_that_it_uses():
    register()
    with pytest.raises(nk.DocumentError, match="the document must declare it") as caught:
        nk.parse(UNDECLARED)
    assert SWISH in str(caught.value)


def test_a_lenient_reader_uses_the_registered_declaration_and_warns(tmp_path):
    register()
    (tmp_path / "graph.nnef").write_text(UNDECLARED)
    report = nk.validate(tmp_path, strict=False)
    assert report.ok
    assert [d.code for d in report.warnings] == ["undeclared-operation"]
    graph = nk.parse(UNDECLARED, strict=False)
    np.testing.assert_allclose(nk.run(graph, X)["z"], EXPECTED, rtol=1e-6)
    # What is saved declares it.
    assert str(nk.parse(str(graph))) == str(graph)


def test_another_declaration_than_the_registered_one_is_an_error():
    nk.register_operation(SWISH.replace("n:", "m:"), kernel=swish)
    with pytest.raises(nk.DocumentError, match="with other parameters"):
        nk.parse(DECLARED)


# -- without a shape rule ----------------------------------------------------------------------


def test_shapes_after_an_operation_without_a_rule_are_unknown_until_it_runs():
    nk.register_operation(SWISH, kernel=swish)
    graph = nk.parse(DECLARED)
    assert (graph.tensors["y"].shape, graph.tensors["z"].shape) == (None, None)
    assert nk.validate(graph).ok
    assert "?" in repr(graph)
    np.testing.assert_allclose(nk.run(graph, X)["z"], EXPECTED, rtol=1e-6)
    trace = nk.trace(graph, X)
    assert trace.to_frame()["shape"]["z"] == (2, 3)
    assert nk.compare(trace, nk.trace(graph, X)).missing == ((), ())
    assert [s.outputs for s in nk.step(graph, X)][-1]["z"].shape == (2, 3)


@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_operations_on_unknown_shapes_run_in_numpy(engine):
    nk.register_operation(SWISH, kernel=swish)
    results = nk.run(nk.parse(DECLARED), X, engine, fallback="numpy")
    np.testing.assert_allclose(results["z"], EXPECTED, rtol=1e-5)


def test_rules_are_checked_as_soon_as_a_shape_is_known():
    nk.register_operation(SWISH, kernel=lambda x, n: x[:, :2])
    graph = nk.parse(DECLARED.replace("relu(y)", "add(y, x)"))
    with pytest.raises(nk.ExecutionError, match=r"'add', which computes 'z', failed: .*shape"):
        nk.run(graph, X)


# -- wrong rules and kernels -------------------------------------------------------------------


def mutating(x, n):
    x[:] = 0
    return x


WRONG_KERNELS = {
    "returned None for 'y'": lambda x, n: None,
    "must return shape [2, 3] for 'y', as its shape rule does, but returned [3]": lambda x, n: x[0],
    "must return floating-point numbers for 'y' (scalar), but returned elements of dtype int64": (
        lambda x, n: x.astype(np.int64)
    ),
    "elements of dtype complex64": lambda x, n: x + 1j,
    "did not return an array for 'y'": lambda x, n: [[1.0], [1.0, 2.0]],
    "attributes by keyword: got an unexpected keyword argument 'n'": lambda x: x,
    "ZeroDivisionError: division by zero": lambda x, n: 1 / 0,
    "read-only": mutating,
}


@pytest.mark.parametrize("message", WRONG_KERNELS)
def test_a_wrong_kernel_is_reported_with_the_expected_result(message):
    register(kernel=WRONG_KERNELS[message])
    with pytest.raises(nk.ExecutionError) as caught:
        nk.run(nk.parse(DECLARED), X)
    assert "operation 'swish_n', which computes 'y', failed" in str(caught.value)
    assert message in str(caught.value)
    assert "Its inputs were a [2, 3]" in str(caught.value)


@pytest.mark.parametrize("given", [lambda x: x, lambda x: (x, x, x)])
def test_a_wrong_number_of_results_is_reported(given):
    declaration = "fragment pair( x: tensor<scalar> ) -> ( s: tensor<scalar>, t: tensor<scalar> );"
    nk.register_operation(declaration, kernel=given)
    graph = nk.parse(
        f"{HEAD}{declaration} graph net( x ) -> ( s ) {{ x = external<scalar>(shape = [1]);"
        " s, t = pair(x); }"
    )
    with pytest.raises(nk.ExecutionError, match=r"must return 2 results \(s, t\)"):
        nk.run(graph, [1.0])


def fails(x, n):
    raise RuntimeError("broken")


def refuses(x, n):
    if n > 1:
        raise ValueError("n must be at most 1")
    return x


WRONG_RULES = {
    "its shape rule returned None": lambda x, n: None,
    "its shape rule returned 3": lambda x, n: 3,
    "its shape rule returned (0, 1)": lambda x, n: (0, 1),
    "its shape rule returned (2, True)": lambda x, n: (2, True),
    "its shape rule returned (2.0, 3)": lambda x, n: (2.0, 3),
    "must return one shape for y": lambda x, n: (x, x),
    "its shape rule failed: got an unexpected keyword argument 'n'": lambda x: x,
    "its shape rule failed: RuntimeError: broken": fails,
    "swish_n: n must be at most 1": refuses,
}


@pytest.mark.parametrize("message", WRONG_RULES)
def test_a_wrong_shape_rule_is_reported_at_the_operation(message):
    register(shape=WRONG_RULES[message])
    with pytest.raises(nk.DocumentError) as caught:
        nk.parse(DECLARED)
    assert message in str(caught.value)
    assert caught.value.diagnostics[0].line == 7


def test_a_wrong_cost_is_reported():
    register(macs=lambda inputs, outputs, attribs: "many")
    with pytest.raises(nk.DocumentError, match="its cost failed"):
        nk.parse(DECLARED)


def test_kernels_change_neither_their_inputs_nor_other_tensors():
    register(kernel=lambda x, n: x)
    trace = nk.trace(nk.parse(DECLARED.replace("relu(y)", "add(y, 1.0)")), X)
    assert not np.shares_memory(trace["y"], trace["a"])


REFUSED = {
    "'relu' is a standard operation": ("relu", "fragment relu( x: tensor<scalar> ) -> "
                                       "( y: tensor<scalar> );"),
    "has a body": ("fragment f( x: tensor<scalar> ) -> ( y: tensor<scalar> ) { y = x; }",),
    "expected 'fragment'": ("", "two words", "x = relu(y);"),
    "the text must declare one operation, not 2": (SWISH + SWISH.replace("swish_n", "gap"),),
    "not declared as generic": ("fragment f( x: tensor<?> ) -> ( y: tensor<scalar> );",),
    "'declaration' must be a str": (3, None),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_invalid_declarations_are_refused(message):
    for declaration in REFUSED[message]:
        with pytest.raises(nk.NnefError, match=message):
            nk.register_operation(declaration)


def test_a_kernel_that_is_not_a_function_is_refused_and_not_registered():
    with pytest.raises(nk.InputError, match="the kernel of 'swish_n' must be a function"):
        nk.register_operation(SWISH, kernel=np.zeros(3))
    with pytest.raises(nk.UnknownNameError):
        nk.unregister_operation("swish_n")


# -- opaque operations -------------------------------------------------------------------------

VENDOR = """version 1.0;
extension VENDOR_gaps;

graph net( x ) -> ( z, a )
{
    x = external<scalar>(shape = [2, 3]);
    a = exp(x);
    y = vendor_gap(a, 0.5, mode = 'fast', sizes = [1, 2]);
    b = vendor_fold(y);
    z = relu(b);
}
"""


def test_opaque_operations_are_shown_and_saved_unchanged(tmp_path):
    graph = nk.parse(VENDOR, strict=False)
    assert "vendor_gap" in repr(graph)
    assert "vendor_gap" in graph._repr_html_()
    assert repr(graph.producers["y"])
    nk.save(graph, tmp_path / "model")
    assert (tmp_path / "model" / "graph.nnef").read_text() == VENDOR
    assert str(nk.load(tmp_path / "model", strict=False)) == VENDOR


def test_opaque_operations_are_refused_all_at_once_with_a_fix():
    graph = nk.parse(VENDOR, strict=False)
    for start in (nk.run, nk.trace, nk.step):
        with pytest.raises(nk.ExecutionError) as caught:
            start(graph, X)
        assert len(caught.value.diagnostics) == 2
        for name in ("vendor_gap", "vendor_fold"):
            assert f"cannot run '{name}'" in str(caught.value)
            assert f"nk.register_operation('{name}', kernel=...)" in str(caught.value)


@pytest.mark.parametrize("engine", ["numpy", "torch", "onnxruntime"])
def test_outputs_that_do_not_need_opaque_operations_can_be_run(engine):
    graph = nk.parse(VENDOR, strict=False)
    np.testing.assert_allclose(nk.run(graph, X, engine, "a")["a"], np.exp(X), rtol=1e-6)
    part = graph.with_outputs(["a"])
    session = nk.Session(part, engine)
    np.testing.assert_allclose(session.run(X)["a"], np.exp(X), rtol=1e-6)


def test_only_what_a_session_computes_must_be_runnable():
    graph = nk.parse(VENDOR.replace("( z, a )", "( a )"), strict=False)
    session = nk.Session(graph)
    np.testing.assert_allclose(session.run(X)["a"], np.exp(X), rtol=1e-6)
    assert list(session.trace(X, keep=["a"])) == ["a"]
    with pytest.raises(nk.ExecutionError, match="vendor_gap"):
        session.run(X, "y")
    with pytest.raises(nk.ExecutionError, match="vendor_gap"):
        session.trace(X)


def test_opaque_operations_run_with_kernels_registered_by_name():
    graph = nk.parse(VENDOR, strict=False)
    try:
        nk.register_operation("vendor_gap", kernel=lambda x, y, mode, sizes: x * y + sum(sizes))
        nk.register_operation("vendor_fold", kernel=lambda x: -x)
        results = nk.run(graph, X)
    finally:
        nk.unregister_operation("vendor_gap")
        nk.unregister_operation("vendor_fold")
    np.testing.assert_array_equal(results["z"], np.zeros((2, 3)))


def test_a_missing_shape_rule_is_noted_once():
    text = DECLARED.replace("z = relu(y)", "b = swish_n(y); z = relu(b)")
    report = nk.validate(nk.parse(text))
    assert report.ok
    assert [(d.code, d.line) for d in report.notes] == [("unknown-shape", 7)]
    assert "nk.register_operation('swish_n', shape=...)" in report.notes[0].hint
    register()
    assert nk.validate(nk.parse(text)).notes == ()
