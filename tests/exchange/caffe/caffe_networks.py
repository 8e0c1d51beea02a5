"""Caffe networks that are written layer by layer."""

import nnefkit as nk


def text_of(*parts):
    """The text of a network: layers and fields as text."""
    return "\n".join(parts)


def input_layer(name, shape):
    dims = " ".join(f"dim: {extent}" for extent in shape)
    return layer(name, "Input", (), parameters=f"input_param {{ shape {{ {dims} }} }}")


def layer(name, kind, bottoms=("x",), tops=None, parameters=""):
    """The text of a layer; its top has its name by default."""
    bottom = " ".join(f'bottom: "{each}"' for each in bottoms)
    top = " ".join(f'top: "{each}"' for each in (tops or (name,)))
    return f'layer {{ name: "{name}" type: "{kind}" {bottom} {top} {parameters} }}'


def weights_of(**blobs):
    """A binary of weights: name of a layer -> arrays."""
    from nnefkit.exchange.caffe.messages import FORMAT

    net = FORMAT.parsed("NetParameter", b"")
    for name, arrays in blobs.items():
        written = net.layer.add(name=name)
        for array in arrays:
            blob = written.blobs.add()
            blob.shape.dim.extend(array.shape)
            blob.data.extend(array.reshape(-1).tolist())
    return net.SerializeToString()


def read(text, weights=None, **options):
    return nk.from_caffe(text.encode(), weights, verify=False, progress=False, **options)
