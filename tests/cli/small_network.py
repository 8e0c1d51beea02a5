"""A network of one convolution, for commands that compare or describe models."""

import numpy as np

TEXT = """version 1.0;
graph net( x ) -> ( y )
{
    x = external(shape = [1, 3, 4, 4]);
    w = variable(shape = [5, 3, 1, 1], label = 'w');
    c = conv(x, w, stride = [1, 1]);
    y = relu(c);
}"""
W = np.random.default_rng(1).normal(size=(5, 3, 1, 1)).astype(np.float32)
