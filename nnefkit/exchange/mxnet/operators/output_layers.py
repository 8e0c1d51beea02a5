"""Layers that compute losses in training, and else their input or a function of it."""

from __future__ import annotations

from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.reshaping import to_scalar
from nnefkit.exchange.source_value import Value


@operator("SoftmaxOutput", "Softmax")
def softmax_output(c: Call) -> Value:
    """Read `softmax`, over all axes but the batch, or over one; its label is for training."""
    x = to_scalar(c, c[0])
    if x.rank < 2:
        c.invalid(f"its input has rank {x.rank}, not 2 or more")
    if c.flag("preserve_shape"):
        axes = [x.rank - 1]
    else:
        axes = [1] if c.flag("multi_output") else [*range(1, x.rank)]
    return c.op("softmax", x, axes=axes)


@operator("LogisticRegressionOutput")
def logistic_output(c: Call) -> Value:
    """Read `sigmoid`; its label is for training."""
    return c.op("sigmoid", to_scalar(c, c[0]))


@operator("LinearRegressionOutput", "MAERegressionOutput", "SVMOutput")
@operator("MakeLoss", "make_loss", "BlockGrad", "stop_gradient", "IdentityAttachKLSparseReg")
@operator("identity", "_copy", "_np_copy", "_NoGradient", "_contrib_gradientmultiplier")
@operator(
    "_identity_with_attr_like_rhs", "_CrossDeviceCopy", "_npx_constraint_check", "cast_storage"
)
def unchanged(c: Call) -> Value:
    """Read nothing: the result is the input."""
    c.read.update(("scalar", "stype", "msg"))
    return c[0]


@operator("Dropout", "_npx_dropout")
def dropout(c: Call) -> Value:
    """Read nothing: elements are dropped in training only."""
    share, mode = c.real("p", 0.5), c.text("mode", "training", ("training", "always"))
    c.integers("axes")
    if mode == "always" and share:
        c.refuse(
            "it drops random elements always, and not in training only",
            "Set mode='training', or cut the network there.",
        )
    return c[0]
