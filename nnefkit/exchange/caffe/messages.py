"""The protobuf messages of Caffe's files, as far as they are read."""

from __future__ import annotations

from nnefkit.exchange.protobuf_messages import MessageFormat

OLD_TYPES = {
    1: "Accuracy",
    2: "BNLL",
    3: "Concat",
    4: "Convolution",
    5: "Data",
    6: "Dropout",
    7: "EuclideanLoss",
    8: "Flatten",
    9: "HDF5Data",
    10: "HDF5Output",
    11: "Im2col",
    12: "ImageData",
    13: "InfogainLoss",
    14: "InnerProduct",
    15: "LRN",
    16: "MultinomialLogisticLoss",
    17: "Pooling",
    18: "ReLU",
    19: "Sigmoid",
    20: "Softmax",
    21: "SoftmaxWithLoss",
    22: "Split",
    23: "TanH",
    24: "WindowData",
    25: "Eltwise",
    26: "Power",
    27: "SigmoidCrossEntropyLoss",
    28: "HingeLoss",
    29: "MemoryData",
    30: "ArgMax",
    31: "Threshold",
    32: "DummyData",
    33: "Slice",
    34: "MVN",
    35: "AbsVal",
    36: "Silence",
    37: "ContrastiveLoss",
    38: "Exp",
    39: "Deconvolution",
}
"""Number of a type of layer in the older form (V1) -> its name in the present one."""

_OLD_NAMES = (
    ("NONE", "ACCURACY", "BNLL", "CONCAT", "CONVOLUTION", "DATA", "DROPOUT", "EUCLIDEAN_LOSS"),
    ("FLATTEN", "HDF5_DATA", "HDF5_OUTPUT", "IM2COL", "IMAGE_DATA", "INFOGAIN_LOSS"),
    ("INNER_PRODUCT", "LRN", "MULTINOMIAL_LOGISTIC_LOSS", "POOLING", "RELU", "SIGMOID"),
    ("SOFTMAX", "SOFTMAX_LOSS", "SPLIT", "TANH", "WINDOW_DATA", "ELTWISE", "POWER"),
    ("SIGMOID_CROSS_ENTROPY_LOSS", "HINGE_LOSS", "MEMORY_DATA", "ARGMAX", "THRESHOLD"),
    ("DUMMY_DATA", "SLICE", "MVN", "ABSVAL", "SILENCE", "CONTRASTIVE_LOSS", "EXP"),
    ("DECONVOLUTION",),
)
"""The names of the older types in the order of their numbers."""
TRAIN, TEST = 0, 1
"""Phases."""
_PHASES = {"TRAIN": TRAIN, "TEST": TEST}

FORMAT = MessageFormat(
    "nnefkit.caffe",
    {
        "NetParameter": "1 name string, 2 layers V1LayerParameter*, 3 input string*, "
        "4 input_dim int32*, 6 state NetState, 8 input_shape BlobShape*, 100 layer LayerParameter*",
        "NetState": "1 phase Phase = TEST, 2 level int32 = 0, 3 stage string*",
        "NetStateRule": "1 phase Phase, 2 min_level int32, 3 max_level int32, 4 stage string*, "
        "5 not_stage string*",
        "BlobShape": "1 dim int64*",
        "BlobProto": "1 num int32 = 0, 2 channels int32 = 0, 3 height int32 = 0, "
        "4 width int32 = 0, 5 data float*, 7 shape BlobShape, 8 double_data double*",
        "LayerParameter": "1 name string, 2 type string, 3 bottom string*, 4 top string*, "
        "6 param ParamSpec*, 7 blobs BlobProto*, 8 include NetStateRule*, 9 exclude NetStateRule*, "
        "103 argmax_param ArgMaxParameter, 104 concat_param ConcatParameter, "
        "106 convolution_param ConvolutionParameter, 108 dropout_param DropoutParameter, "
        "110 eltwise_param EltwiseParameter, "
        "111 exp_param ExpParameter, 117 inner_product_param InnerProductParameter, "
        "118 lrn_param LRNParameter, 120 mvn_param MVNParameter, "
        "121 pooling_param PoolingParameter, 122 power_param PowerParameter, "
        "123 relu_param ReLUParameter, 125 softmax_param SoftmaxParameter, "
        "126 slice_param SliceParameter, 128 threshold_param ThresholdParameter, "
        "131 prelu_param PReLUParameter, 132 spp_param SPPParameter, "
        "133 reshape_param ReshapeParameter, 134 log_param ExpParameter, "
        "135 flatten_param FlattenParameter, 136 reduction_param ReductionParameter, "
        "137 embed_param EmbedParameter, 138 tile_param TileParameter, "
        "139 batch_norm_param BatchNormParameter, 140 elu_param ELUParameter, "
        "141 bias_param BiasParameter, 142 scale_param ScaleParameter, "
        "143 input_param InputParameter, 144 crop_param CropParameter, "
        "145 parameter_param ParameterParameter, 146 recurrent_param RecurrentParameter, "
        "147 swish_param SwishParameter, 148 clip_param ClipParameter, "
        "202 permute_param PermuteParameter, 203 prior_box_param PriorBoxParameter, "
        "206 norm_param NormalizeParameter",
        "V1LayerParameter": "1 layer V0LayerParameter, 2 bottom string*, 3 top string*, "
        "4 name string, 5 type LayerType, 6 blobs BlobProto*, 9 concat_param ConcatParameter, "
        "10 convolution_param ConvolutionParameter, 12 dropout_param DropoutParameter, "
        "17 inner_product_param InnerProductParameter, "
        "18 lrn_param LRNParameter, 19 pooling_param PoolingParameter, "
        "21 power_param PowerParameter, 23 argmax_param ArgMaxParameter, "
        "24 eltwise_param EltwiseParameter, 25 threshold_param ThresholdParameter, "
        "30 relu_param ReLUParameter, 31 slice_param SliceParameter, 32 include NetStateRule*, "
        "33 exclude NetStateRule*, 34 mvn_param MVNParameter, 39 softmax_param SoftmaxParameter, "
        "41 exp_param ExpParameter, 1001 param string*",
        "V0LayerParameter": "1 name string, 2 type string",
        "ParamSpec": "1 name string",
        "ArgMaxParameter": "1 out_max_val bool = false, 2 top_k uint32 = 1, 3 axis int32",
        "BatchNormParameter": "1 use_global_stats bool, 3 eps float = 1e-5",
        "BiasParameter": "1 axis int32 = 1, 2 num_axes int32 = 1",
        "ClipParameter": "1 min float, 2 max float",
        "ConcatParameter": "1 concat_dim uint32 = 1, 2 axis int32 = 1",
        "ConvolutionParameter": "1 num_output uint32, 2 bias_term bool = true, 3 pad uint32*, "
        "4 kernel_size uint32*, 5 group uint32 = 1, 6 stride uint32*, 9 pad_h uint32 = 0, "
        "10 pad_w uint32 = 0, 11 kernel_h uint32, 12 kernel_w uint32, 13 stride_h uint32, "
        "14 stride_w uint32, 16 axis int32 = 1, 18 dilation uint32*",
        "CropParameter": "1 axis int32 = 2, 2 offset uint32*",
        "DropoutParameter": "1 dropout_ratio float = 0.5, 2 scale_train bool = true",
        "ELUParameter": "1 alpha float = 1",
        "EltwiseParameter": "1 operation EltwiseParameter.EltwiseOp = SUM, 2 coeff float*",
        "EmbedParameter": "1 num_output uint32, 2 input_dim uint32, 3 bias_term bool = true",
        "ExpParameter": "1 base float = -1, 2 scale float = 1, 3 shift float = 0",
        "FlattenParameter": "1 axis int32 = 1, 2 end_axis int32 = -1",
        "InnerProductParameter": "1 num_output uint32, 2 bias_term bool = true, 5 axis int32 = 1, "
        "6 transpose bool = false",
        "InputParameter": "1 shape BlobShape*",
        "LRNParameter": "1 local_size uint32 = 5, 2 alpha float = 1, 3 beta float = 0.75, "
        "4 norm_region LRNParameter.NormRegion = ACROSS_CHANNELS, 5 k float = 1",
        "MVNParameter": "1 normalize_variance bool = true, 2 across_channels bool = false, "
        "3 eps float = 1e-9",
        "NormalizeParameter": "1 across_spatial bool = true, 3 channel_shared bool = true, "
        "4 eps float = 1e-10",
        "PReLUParameter": "2 channel_shared bool = false",
        "ParameterParameter": "1 shape BlobShape",
        "PermuteParameter": "1 order uint32*",
        "PoolingParameter": "1 pool PoolingParameter.PoolMethod = MAX, 2 kernel_size uint32, "
        "3 stride uint32 = 1, 4 pad uint32 = 0, 5 kernel_h uint32, 6 kernel_w uint32, "
        "7 stride_h uint32, 8 stride_w uint32, 9 pad_h uint32 = 0, 10 pad_w uint32 = 0, "
        "12 global_pooling bool = false, 13 round_mode PoolingParameter.RoundMode = CEIL, "
        "1000 ceil_mode bool = true",
        "PowerParameter": "1 power float = 1, 2 scale float = 1, 3 shift float = 0",
        "PriorBoxParameter": "1 min_size float*, 2 max_size float*, 3 aspect_ratio float*, "
        "4 flip bool = true, 5 clip bool = false, 6 variance float*, 7 img_size uint32, "
        "8 img_h uint32, 9 img_w uint32, 10 step float, 11 step_h float, 12 step_w float, "
        "13 offset float = 0.5",
        "ReLUParameter": "1 negative_slope float = 0",
        "RecurrentParameter": "1 num_output uint32 = 0, 5 expose_hidden bool = false",
        "ReductionParameter": "1 operation ReductionParameter.ReductionOp = SUM, "
        "2 axis int32 = 0, 3 coeff float = 1",
        "ReshapeParameter": "1 shape BlobShape, 2 axis int32 = 0, 3 num_axes int32 = -1",
        "SPPParameter": "1 pyramid_height uint32, 2 pool SPPParameter.PoolMethod = MAX",
        "ScaleParameter": "1 axis int32 = 1, 2 num_axes int32 = 1, 4 bias_term bool = false",
        "SliceParameter": "1 slice_dim uint32 = 1, 2 slice_point uint32*, 3 axis int32 = 1",
        "SoftmaxParameter": "2 axis int32 = 1",
        "SwishParameter": "1 beta float = 1",
        "ThresholdParameter": "1 threshold float = 0",
        "TileParameter": "1 axis int32 = 1, 2 tiles int32",
    },
    {
        "Phase": _PHASES,
        "LayerType": {
            name: number for number, name in enumerate(name for row in _OLD_NAMES for name in row)
        },
        "EltwiseParameter.EltwiseOp": {"PROD": 0, "SUM": 1, "MAX": 2},
        "LRNParameter.NormRegion": {"ACROSS_CHANNELS": 0, "WITHIN_CHANNEL": 1},
        "PoolingParameter.PoolMethod": {"MAX": 0, "AVE": 1, "STOCHASTIC": 2},
        "PoolingParameter.RoundMode": {"CEIL": 0, "FLOOR": 1},
        "ReductionParameter.ReductionOp": {"SUM": 1, "ASUM": 2, "SUMSQ": 3, "MEAN": 4},
        "SPPParameter.PoolMethod": {"MAX": 0, "AVE": 1, "STOCHASTIC": 2},
    },
    syntax="proto2",
    extra="caffe",
)
"""The network (NetParameter), in its text and with its weights."""
