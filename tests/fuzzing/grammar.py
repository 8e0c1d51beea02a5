"""Texts drawn from the grammar of NNEF: mostly wrong in their meaning, sometimes right."""

from __future__ import annotations

from random import Random

NAMES = ("x", "x", "y", "a", "b", "c", "w", "net", "relu", "f", "g", "nowhere", "for", "shape_of")
NUMBERS = ("0", "1", "-1", "2", "3", "4", "7", "2.5", "-0.0", "1e3", "1e-400", "1e400", "007")
NUMBERS += ("9223372036854775807", "9223372036854775808", "-9223372036854775809", "4294967296")
LITERALS = (*NUMBERS, "''", "'s'", "'constant'", '"a/b"', "true", "false", "[]", "[1, 2]")
OPERATORS = ("+", "-", "*", "/", "^", "<", "<=", ">", ">=", "==", "!=", "&&", "||", "in")
OPERATIONS = ("relu", "add", "mul", "concat", "softmax", "reshape", "select", "copy", "moments")
OPERATIONS += ("split", "f", "g", "external", "variable", "constant", "conv", "max_pool", "pad")
OPERATIONS += ("transpose", "slice", "stack", "unstack", "matmul", "sum_reduce", "squeeze", "box")
OPERATIONS += ("unsqueeze", "tile", "gather", "cast", "lt", "argmax_pool", "copy_n", "add_n")
PARAMETERS = ("axes", "axis", "shape", "ratios", "n", "x", "alpha", "label", "value", "size")
PARAMETERS += (
    "padding",
    "border",
    "stride",
    "dilation",
    "items",
    "begin",
    "end",
    "times",
    "repeats",
)
BUILT_IN = ("length_of", "range_of", "shape_of", "integer", "scalar", "string", "logical")
TYPES = ("scalar", "integer", "logical", "string", "?", "tensor<scalar>", "tensor<?>", "tensor<>")
TYPES += ("tensor<integer>", "tensor<logical>")
EXTENSIONS = ("KHR_enable_fragment_definitions", "KHR_enable_operator_expressions", "XYZ_other")
GOOD = ("{n} = relu({a});", "{n} = add({a}, {b});", "{n} = {a} + 1.0;", "{n} = mul({a}, 0.5);")
GOOD += ("{n} = [{a}, {b}][1];", "{n} = max_reduce({a}, axes = [0]);", "[{n}] = [{a}];")
GOOD += ("{n} = softmax({a});", "{n} = transpose({a}, axes = [1, 0, 2]);", "{n} = -{a} * {b};")
GOOD += ("{n} = f({a}, 1);", "{n} = concat([{a}, {b}], axis = 1);", "({n}, {n}q) = g({a}, 2);")
GOOD += ("[{n}, {n}q] = split({a}, axis = 2, ratios = [1, 2]);", "{n} = clamp({a}, 0.0, 1.0);")
GOOD += ("{n} = select({a} < {b}, {a}, {b});", "{n} = reshape({a}, shape = [0, -1, 1]);")
GOOD += ("{n} = concat([for i in range_of([1, 2]) yield {a} * scalar(i)], axis = 0);",)
GOOD_FRAGMENTS = """fragment f( x: tensor<scalar>, n: integer = 2 ) -> ( y: tensor<scalar> )
{ y = x * scalar(n) if n > 1 else relu(x); }
fragment g( x: tensor<scalar>, n: integer ) -> ( y: tensor<scalar>, z: tensor<scalar> )
{ y = f(x, n); z = f(x, n - 1) + y; }
"""


class Grammar:
    """Draws the parts of a document."""

    def __init__(self, chance: Random) -> None:
        self.one = chance.choice
        self.random = chance.random
        self.number = chance.randint

    def several(self, least: int, most: int, inner: object, depth: int) -> str:
        """Return expressions with commas between them."""
        count = self.number(least, most)
        return ", ".join(self.expression(depth) for _ in range(count))

    def expression(self, depth: int) -> str:
        """Return an expression with parts at most `depth` deep."""
        if depth <= 0 or self.random() < 0.25:
            return self.one(NAMES if self.random() < 0.55 else LITERALS)
        deeper = depth - 1

        def inner() -> str:
            return self.expression(deeper)

        match self.number(0, 15):
            case 0 | 1 | 2 | 3:
                generic = self.one(("", "", "", "<scalar>", "<integer>"))
                return f"{self.one(OPERATIONS)}{generic}({self.arguments(deeper)})"
            case 4 | 5 | 6:
                return f"{inner()} {self.one(OPERATORS)} {inner()}"
            case 7:
                return f"({inner()})"
            case 8:
                return f"{self.one('-!+')}{inner()}"
            case 9:
                return f"[{', '.join(inner() for _ in range(self.number(0, 3)))}]"
            case 10:
                return f"({', '.join(inner() for _ in range(self.number(2, 3)))})"
            case 11:
                return f"{inner()} if {inner()} else {inner()}"
            case 12:
                return self.comprehension(deeper)
            case 13:
                return f"{inner()}[{inner()}]"
            case 14:
                return f"{inner()}[{self.one(('', inner()))}:{self.one(('', inner()))}]"
            case _:
                return f"{self.one(BUILT_IN)}({inner()})"

    def arguments(self, depth: int) -> str:
        """Return arguments, some of them with names."""
        count = self.number(1, 3)
        named = [f"{self.one(PARAMETERS)} = " if self.random() < 0.4 else "" for _ in range(count)]
        return ", ".join(name + self.expression(depth) for name in named)

    def comprehension(self, depth: int) -> str:
        """Return an array comprehension."""
        loops = [f"{self.one('abi')} in {self.expression(depth)}" for _ in range(self.number(1, 2))]
        condition = f" if {self.expression(depth)}" if self.random() < 0.4 else ""
        return f"[for {', '.join(loops)}{condition} yield {self.expression(depth)}]"

    def target(self, depth: int = 2) -> str:
        """Return the left side of an assignment."""
        if depth == 0 or self.random() < 0.6:
            return self.one(("y", "a", "b", "c"))
        items = ", ".join(self.target(depth - 1) for _ in range(self.number(1, 3)))
        return self.one((f"[{items}]", f"({items})"))

    def body(self) -> str:
        """Return assignments, at most four of which are wild."""
        lines, names = [], ["x"]
        for number in range(self.number(0, 8)):
            name = f"t{number}"
            form = self.one(GOOD)
            lines.append(form.format(n=name, a=self.one(names), b=self.one(names)))
            names.append(name)
        wild = self.one((0, 0, 0, 1, 1, 2, 4))
        for _ in range(wild):
            at = self.number(0, len(lines))
            lines.insert(at, f"{self.target()} = {self.expression(self.number(1, 4))};")
        last = self.expression(2) if wild == 4 else f"copy({names[-1]})"
        lines.append(f"y = {last};")
        return "\n".join(lines)

    def type(self) -> str:
        """Return a type."""
        name = self.one(TYPES)
        while self.random() < 0.3:
            name = self.one((f"{name}[]", f"({name}, {self.one(TYPES)})"))
        return name

    def fragment(self) -> str:
        """Return the definition of a fragment."""
        generic = self.one(("", "", "<?>", "<? = integer>"))
        default = self.one(("", f" = {self.one(LITERALS)}"))
        body = self.one((";", f"{{ {self.body()} }}"))
        return (
            f"fragment {self.one('fgh')}{generic}( x: {self.type()}, n: {self.type()}{default} )"
            f" -> ( y: {self.type()} ) {body}"
        )

    def document(self) -> str:
        """Return a document."""
        extensions = [e for e in EXTENSIONS if self.random() < 0.95]
        fragments = [GOOD_FRAGMENTS] if self.random() < 0.7 else []
        fragments += [self.fragment() for _ in range(self.one((0, 0, 0, 0, 1, 2)))]
        head = "".join(f"extension {name};\n" for name in extensions)
        shape = self.one(("2, 2, 3", "2, 1, 3", "1, 2, 3", "3", "2, 2, 3"))
        return (
            f"version 1.0;\n{head}{''.join(fragments)}\ngraph net( x ) -> ( y )\n{{\n"
            f"x = external(shape = [{shape}]);\n{self.body()}\n}}\n"
        )
