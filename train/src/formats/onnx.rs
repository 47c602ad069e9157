//! A greedy policy as an ONNX model: `observation` (batch, n) in f32 to `action`, of int64 (batch)
//! where actions are discrete, of f32 (batch, m) where they are vectors.
//!
//! | part | nodes |
//! |---|---|
//! | normalized observations | Add, Mul, Min, Max |
//! | dense | Gemm |
//! | convolution | Reshape and Transpose to channels first, Conv, and back |
//! | layer normalization | LayerNormalization |
//! | end of a residual block | Add |
//! | dueling | Gemm with V + A − mean A as its matrix |
//! | products of inputs | Gather, Gather, Mul, Mul |
//! | SiLU | Sigmoid, Mul |
//! | GELU | Mul, Erf, Add, Mul, Mul |
//! | ELU | Elu |
//! | argmax over means | Reshape, ReduceMean, ArgMax |
//! | argmax over expected returns | Reshape, Softmax, MatMul, ArgMax |
//! | first n outputs, within bounds | Gather, Min, Max |
//!
//! *Design.* The model is what ONNX calls opset 13, which every runtime of the last years reads, or
//! opset 17 where there is a layer normalization, and is in f32 whatever the policy was trained in.
//! Free outputs (log σ) do not act and are left out.
//!
//! Source: `onnx/onnx.proto3`, <https://onnx.ai/onnx/operators/>.

use egn_agents::{ActionValues, GreedyRule, ObservationNormalizer};
use egn_solver::{Activation, Convolution, Dense, Dueling, Layer, LayerNorm, Products, Snapshot};

use crate::formats::protobuf::Message;

/// Version of the operators.
const OPSET: u64 = 13;
/// The first version with LayerNormalization; what else we use is in it as before.
const OPSET_OF_LAYER_NORM: u64 = 17;
/// Version of the file's layout that goes with both.
const IR_VERSION: u64 = 8;

/// Names of the input and of the output.
const OBSERVATION: &str = "observation";
const ACTION: &str = "action";

/// Element types of ONNX.
const FLOAT: u64 = 1;
const INT64: u64 = 7;

/// The bytes of a model that acts greedily with `network` on observations that go through
/// `normalizer` first; `about` is written into its metadata.
pub fn model(
    network: &Snapshot,
    normalizer: Option<&ObservationNormalizer>,
    rule: &GreedyRule,
    about: &[(&str, String)],
) -> Vec<u8> {
    let params: Vec<f32> = network.parameters().into_iter().map(|x| x as f32).collect();
    let architecture = network.network();
    let mut graph = Graph::default();
    let mut value = normalizer.map_or_else(|| OBSERVATION.to_owned(), |normalizer| graph.normalized(normalizer));
    let mut taken = Vec::new();
    for layer in architecture.layers() {
        taken.push(value.clone());
        value = match layer {
            Layer::Dense(dense) => graph.dense(dense, &params, &value),
            Layer::Convolution(convolution) => graph.convolution(convolution, &params, &value),
            Layer::LayerNorm(norm) => graph.layer_norm(norm, &params, &value),
            Layer::Skip(skip) => graph.node("Add", &[&value, &taken[skip.start]], &[]),
            Layer::Dueling(dueling) => graph.dueling(dueling, &value),
            Layer::Products(products) => graph.products(products, &value),
        };
    }
    let n_outputs = architecture.n_outputs() - architecture.free_outputs().len();
    graph.greedy(rule, &value, n_outputs);
    let action = match rule {
        GreedyRule::Argmax(_) => tensor_type(INT64, None),
        GreedyRule::Clip { low, .. } | GreedyRule::Tanh { low, .. } => tensor_type(FLOAT, Some(low.len())),
    };
    let observation = tensor_type(FLOAT, Some(architecture.n_inputs()));
    let mut graph = graph.message;
    graph.text(2, "greedy_policy");
    graph.message(11, Message::default().text(1, OBSERVATION).message(2, &observation));
    graph.message(12, Message::default().text(1, ACTION).message(2, &action));
    let mut model = Message::default();
    model.integer(1, IR_VERSION).text(2, "egn-rl").text(3, env!("CARGO_PKG_VERSION")).message(7, &graph);
    let has_norm = architecture.layers().iter().any(|layer| matches!(layer, Layer::LayerNorm(_)));
    let opset = if has_norm { OPSET_OF_LAYER_NORM } else { OPSET };
    model.message(8, Message::default().text(1, "").integer(2, opset));
    for (key, text) in about {
        model.message(14, Message::default().text(1, key).text(2, text));
    }
    model.as_bytes().to_vec()
}

/// A tensor of any number of rows, with so many columns or without columns.
fn tensor_type(element: u64, n_columns: Option<usize>) -> Message {
    let mut shape = Message::default();
    shape.message(1, Message::default().text(2, "batch"));
    if let Some(n) = n_columns {
        shape.message(1, Message::default().integer(1, n as u64));
    }
    let mut tensor = Message::default();
    tensor.integer(1, element).message(2, &shape);
    let mut message = Message::default();
    message.message(1, &tensor);
    message
}

/// A setting of a node.
enum Attribute<'a> {
    Integer(&'a str, i64),
    Integers(&'a str, &'a [i64]),
}

impl Attribute<'_> {
    fn message(&self) -> Message {
        let mut message = Message::default();
        match self {
            // The kinds are those of AttributeProto: INT and INTS.
            Self::Integer(name, value) => message.text(1, name).integer(3, *value as u64).integer(20, 2),
            Self::Integers(name, values) => {
                message.text(1, name);
                values.iter().for_each(|&value| {
                    message.integer(8, value as u64);
                });
                message.integer(20, 7)
            }
        };
        message
    }
}

/// A graph under construction: nodes in the order in which they are evaluated, and constants.
#[derive(Default)]
struct Graph {
    message: Message,
    n_values: usize,
}

impl Graph {
    /// A node with a name of its own for its only output, which is returned.
    fn node(&mut self, operator: &str, inputs: &[&str], attributes: &[Attribute<'_>]) -> String {
        let output = self.name(operator);
        self.node_to(&output, operator, inputs, attributes);
        output
    }

    fn node_to(&mut self, output: &str, operator: &str, inputs: &[&str], attributes: &[Attribute<'_>]) {
        let mut node = Message::default();
        inputs.iter().for_each(|input| {
            node.text(1, input);
        });
        node.text(2, output).text(3, output).text(4, operator);
        attributes.iter().for_each(|attribute| {
            node.message(5, &attribute.message());
        });
        self.message.message(1, &node);
    }

    fn name(&mut self, kind: &str) -> String {
        self.n_values += 1;
        format!("{kind}_{}", self.n_values)
    }

    fn floats(&mut self, shape: &[usize], values: &[f32]) -> String {
        self.constant(FLOAT, shape, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
    }

    fn integers(&mut self, values: &[i64]) -> String {
        self.constant(INT64, &[values.len()], &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
    }

    fn constant(&mut self, element: u64, shape: &[usize], bytes: &[u8]) -> String {
        let name = self.name("constant");
        let mut tensor = Message::default();
        shape.iter().for_each(|&n| {
            tensor.integer(1, n as u64);
        });
        tensor.integer(2, element).text(8, &name).bytes(9, bytes);
        self.message.message(5, &tensor);
        name
    }

    /// The observation, with mean 0 and deviation 1, within ±clip.
    fn normalized(&mut self, normalizer: &ObservationNormalizer) -> String {
        let shift: Vec<f32> = normalizer.moments.mean.iter().map(|mean| -mean as f32).collect();
        let scale: Vec<f32> = normalizer.deviations().iter().map(|deviation| (1.0 / deviation) as f32).collect();
        let clip = vec![normalizer.clip as f32; shift.len()];
        let unclip: Vec<f32> = clip.iter().map(|clip| -clip).collect();
        let [shift, scale, high, low] = [shift, scale, clip, unclip].map(|row| self.floats(&[row.len()], &row));
        let centered = self.node("Add", &[OBSERVATION, &shift], &[]);
        let scaled = self.node("Mul", &[&centered, &scale], &[]);
        let below = self.node("Min", &[&scaled, &high], &[]);
        self.node("Max", &[&below, &low], &[])
    }

    fn dense(&mut self, dense: &Dense, params: &[f32], input: &str) -> String {
        let weight = self.floats(&[dense.n_inputs, dense.n_outputs], &params[dense.weight()]);
        let bias = dense.has_bias.then(|| self.floats(&[dense.n_outputs], &params[dense.bias()]));
        let inputs: Vec<&str> = [input, &weight].into_iter().chain(bias.as_deref()).collect();
        let sum = self.node("Gemm", &inputs, &[]);
        self.activation(dense.activation, sum)
    }

    /// Images have their channels last here and first in ONNX.
    fn convolution(&mut self, convolution: &Convolution, params: &[f32], input: &str) -> String {
        let Convolution { image, kernel, filters } = convolution;
        let (m, size, channels) = (kernel.filters, kernel.size, image.channels);
        // (row, column, channel, filter) to (filter, channel, row, column).
        let ours = &params[filters.weight()];
        let mut weights = Vec::with_capacity(ours.len());
        for filter in 0..m {
            for channel in 0..channels {
                weights.extend((0..size * size).map(|place| ours[(place * channels + channel) * m + filter]));
            }
        }
        let weight = self.floats(&[m, channels, size, size], &weights);
        let bias = self.floats(&[m], &params[filters.bias()]);
        let shape = self.integers(&[-1, image.height as i64, image.width as i64, channels as i64]);
        let rows = self.integers(&[-1, convolution.output().len() as i64]);
        let images = self.node("Reshape", &[input, &shape], &[]);
        let images = self.node("Transpose", &[&images], &[Attribute::Integers("perm", &[0, 3, 1, 2])]);
        let (stride, padding) = (kernel.stride as i64, kernel.padding as i64);
        let settings = [Attribute::Integers("strides", &[stride; 2]), Attribute::Integers("pads", &[padding; 4])];
        let sum = self.node("Conv", &[&images, &weight, &bias], &settings);
        let images = self.activation(filters.activation, sum);
        let images = self.node("Transpose", &[&images], &[Attribute::Integers("perm", &[0, 2, 3, 1])]);
        self.node("Reshape", &[&images, &rows], &[])
    }

    /// Over the last axis and with ε = 1e-5, unless said otherwise.
    fn layer_norm(&mut self, norm: &LayerNorm, params: &[f32], input: &str) -> String {
        let [scale, shift] = [norm.scale(), norm.shift()].map(|range| self.floats(&[norm.width], &params[range]));
        let normalized = self.node("LayerNormalization", &[input, &scale, &shift], &[]);
        self.activation(norm.activation, normalized)
    }

    /// V, A₁ … Aₙ to V + Aⱼ − mean A is linear: column j of its matrix is 1, −1/n …, 1 − 1/n, …
    fn dueling(&mut self, dueling: &Dueling, input: &str) -> String {
        let n = dueling.n_outputs;
        let mut matrix = vec![1.0; n];
        matrix.extend((0..n * n).map(|at| f32::from(u8::from(at / n == at % n)) - 1.0 / n as f32));
        let matrix = self.floats(&[1 + n, n], &matrix);
        self.node("Gemm", &[input, &matrix], &[])
    }

    fn products(&mut self, products: &Products, input: &str) -> String {
        let [first, second] = [0, 1].map(|side| {
            let indices: Vec<i64> = products.pairs().map(|(i, j)| [i, j][side] as i64).collect();
            self.columns(input, &indices)
        });
        let factors: Vec<f32> = products.pairs().map(|(i, j)| if i == j { 1.0 } else { 2.0 }).collect();
        let factors = self.floats(&[factors.len()], &factors);
        let product = self.node("Mul", &[&first, &second], &[]);
        self.node("Mul", &[&product, &factors], &[])
    }

    fn columns(&mut self, input: &str, indices: &[i64]) -> String {
        let indices = self.integers(indices);
        self.node("Gather", &[input, &indices], &[Attribute::Integer("axis", 1)])
    }

    fn activation(&mut self, activation: Activation, input: String) -> String {
        match activation {
            Activation::Identity => input,
            Activation::Tanh => self.node("Tanh", &[&input], &[]),
            Activation::Relu => self.node("Relu", &[&input], &[]),
            Activation::Silu => {
                let logistic = self.node("Sigmoid", &[&input], &[]);
                self.node("Mul", &[&input, &logistic], &[])
            }
            // ½ z (1 + erf(z/√2)): an operator of its own is younger than the set above.
            Activation::Gelu => {
                let [root, one, half] =
                    [std::f32::consts::FRAC_1_SQRT_2, 1.0, 0.5].map(|number| self.floats(&[1], &[number]));
                let scaled = self.node("Mul", &[&input, &root], &[]);
                let error = self.node("Erf", &[&scaled], &[]);
                let twice_below = self.node("Add", &[&error, &one], &[]);
                let product = self.node("Mul", &[&input, &twice_below], &[]);
                self.node("Mul", &[&product, &half], &[])
            }
            // Its alpha is 1 unless said otherwise.
            Activation::Elu => self.node("Elu", &[&input], &[]),
        }
    }

    fn greedy(&mut self, rule: &GreedyRule, outputs: &str, n_outputs: usize) {
        match rule {
            GreedyRule::Argmax(values) => {
                let values = self.action_values(values, outputs, n_outputs);
                let axis = [Attribute::Integer("axis", 1), Attribute::Integer("keepdims", 0)];
                self.node_to(ACTION, "ArgMax", &[&values], &axis);
            }
            GreedyRule::Clip { low, high } => {
                let means = self.first_columns(outputs, low.len());
                self.clip(&means, low, high);
            }
            GreedyRule::Tanh { low, high } => {
                let ends = || low.iter().zip(high).map(|(&low, &high)| (f64::from(low), f64::from(high)));
                let half: Vec<f32> = ends().map(|(low, high)| (0.5 * (high - low)) as f32).collect();
                let middle: Vec<f32> = ends().map(|(low, high)| (0.5 * (low + high)) as f32).collect();
                let [half, middle] = [half, middle].map(|values| self.floats(&[values.len()], &values));
                let squashed = self.first_columns(outputs, low.len());
                let squashed = self.node("Tanh", &[&squashed], &[]);
                let stretched = self.node("Mul", &[&squashed, &half], &[]);
                let action = self.node("Add", &[&stretched, &middle], &[]);
                self.clip(&action, low, high);
            }
        }
    }

    /// (batch, actions) from outputs (batch, actions · outputs per action).
    fn action_values(&mut self, values: &ActionValues, outputs: &str, n_outputs: usize) -> String {
        let n = values.outputs_per_action();
        let groups = self.integers(&[-1, (n_outputs / n) as i64, n as i64]);
        let groups = self.node("Reshape", &[outputs, &groups], &[]);
        match values {
            ActionValues::Mean { .. } => {
                let axes = [Attribute::Integers("axes", &[2]), Attribute::Integer("keepdims", 0)];
                self.node("ReduceMean", &[&groups], &axes)
            }
            ActionValues::Expectation { support } => {
                let support: Vec<f32> = support.iter().map(|&z| z as f32).collect();
                let support = self.floats(&[n], &support);
                let probabilities = self.node("Softmax", &[&groups], &[Attribute::Integer("axis", 2)]);
                self.node("MatMul", &[&probabilities, &support], &[])
            }
        }
    }

    fn first_columns(&mut self, input: &str, n: usize) -> String {
        self.columns(input, &(0..n as i64).collect::<Vec<_>>())
    }

    /// The action: `input` within its bounds.
    fn clip(&mut self, input: &str, low: &[f32], high: &[f32]) {
        let [low, high] = [low, high].map(|bounds| self.floats(&[bounds.len()], bounds));
        let below = self.node("Min", &[input, &high], &[]);
        self.node_to(ACTION, "Max", &[&below, &low], &[]);
    }
}
