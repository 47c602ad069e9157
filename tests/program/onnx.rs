//! Runs the ONNX models that this program writes, straight from their bytes, operator by operator
//! as <https://onnx.ai/onnx/operators/> defines them.

use std::collections::HashMap;

/// A tensor: shape and values. Indices are whole numbers in f64.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

/// A field of a message: its number, and what it holds.
type Fields<'a> = Vec<(u64, Field<'a>)>;

enum Field<'a> {
    Integer(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().expect("a varint goes on");
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return value;
        }
    }
    panic!("a varint of more than ten bytes")
}

fn fields(mut bytes: &[u8]) -> Fields<'_> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Integer(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(value)
            }
            other => panic!("wire type {other}, which no model of ours has"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

fn all<'a>(fields: &Fields<'a>, number: u64) -> Vec<&'a [u8]> {
    let bytes = |(n, field): &(u64, Field<'a>)| match field {
        Field::Bytes(bytes) if *n == number => Some(*bytes),
        _ => None,
    };
    fields.iter().filter_map(bytes).collect()
}

fn integers(fields: &Fields<'_>, number: u64) -> Vec<i64> {
    let integer = |(n, field): &(u64, Field<'_>)| match field {
        Field::Integer(value) if *n == number => Some(*value as i64),
        _ => None,
    };
    fields.iter().filter_map(integer).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("names are text")
}

fn constant(tensor: &[u8]) -> (String, Value) {
    let fields = fields(tensor);
    let shape: Vec<usize> = integers(&fields, 1).iter().map(|&n| n as usize).collect();
    let raw = all(&fields, 9)[0];
    let values: Vec<f64> = match integers(&fields, 2)[..] {
        [1] => raw.as_chunks::<4>().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect(),
        [7] => raw.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes) as f64).collect(),
        ref other => panic!("element type {other:?}"),
    };
    assert_eq!(values.len(), shape.iter().product::<usize>());
    (text(all(&fields, 8)[0]), Value { shape, values })
}

/// What the model makes of observations (batch, n).
pub fn run(model: &[u8], observations: Value) -> Value {
    let graph = fields(all(&fields(model), 7)[0]);
    let mut known: HashMap<String, Value> = all(&graph, 5).into_iter().map(constant).collect();
    known.insert("observation".into(), observations);
    for node in all(&graph, 1) {
        let node = fields(node);
        // Every input is a constant, the observation or the output of an
        // earlier node: else this panics.
        let inputs: Vec<&Value> = all(&node, 1).into_iter().map(|name| &known[&text(name)]).collect();
        let attributes: HashMap<String, Vec<i64>> = all(&node, 5).into_iter().map(attribute).collect();
        let output = evaluate(&text(all(&node, 4)[0]), &inputs, &attributes);
        known.insert(text(all(&node, 2)[0]), output);
    }
    known.remove("action").expect("the model acts")
}

fn attribute(bytes: &[u8]) -> (String, Vec<i64>) {
    let fields = fields(bytes);
    let values = match integers(&fields, 20)[..] {
        [2] => integers(&fields, 3),
        [7] => integers(&fields, 8),
        ref other => panic!("attribute of kind {other:?}"),
    };
    (text(all(&fields, 1)[0]), values)
}

fn evaluate(operator: &str, inputs: &[&Value], attributes: &HashMap<String, Vec<i64>>) -> Value {
    let x = inputs[0];
    let map = |f: fn(f64) -> f64| Value { shape: x.shape.clone(), values: x.values.iter().map(|&x| f(x)).collect() };
    match operator {
        "Tanh" => map(libm::tanh),
        "Relu" => map(|x| x.max(0.0)),
        "Sigmoid" => map(|x| 1.0 / (1.0 + libm::exp(-x))),
        "Erf" => map(libm::erf),
        "Elu" => map(|x| if x > 0.0 { x } else { libm::expm1(x) }),
        "LayerNormalization" => {
            let n = x.shape[1];
            let normalized = |row: &[f64]| {
                let mean = row.iter().sum::<f64>() / n as f64;
                let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
                let normalized = row.iter().map(|x| (x - mean) / (variance + 1e-5).sqrt());
                let affine = normalized.zip(&inputs[1].values).zip(&inputs[2].values);
                affine.map(|((x, scale), shift)| scale * x + shift).collect::<Vec<_>>()
            };
            Value { shape: x.shape.clone(), values: x.values.chunks_exact(n).flat_map(normalized).collect() }
        }
        "Add" => broadcast(inputs, |a, b| a + b),
        "Mul" => broadcast(inputs, |a, b| a * b),
        "Min" => broadcast(inputs, f64::min),
        "Max" => broadcast(inputs, f64::max),
        "Gemm" => gemm(inputs),
        "Reshape" => {
            let mut shape: Vec<i64> = inputs[1].values.iter().map(|&n| n as i64).collect();
            let known: i64 = shape.iter().filter(|&&n| n > 0).product();
            shape.iter_mut().filter(|n| **n == -1).for_each(|n| *n = x.values.len() as i64 / known);
            let shape: Vec<usize> = shape.iter().map(|&n| n as usize).collect();
            assert_eq!(shape.iter().product::<usize>(), x.values.len());
            Value { shape, values: x.values.clone() }
        }
        "Transpose" => transpose(x, &attributes["perm"]),
        "Gather" => {
            assert_eq!(attributes["axis"], [1]);
            let rows = x.values.chunks_exact(x.shape[1]);
            let values = rows.flat_map(|row| inputs[1].values.iter().map(|&j| row[j as usize])).collect();
            Value { shape: vec![x.shape[0], inputs[1].values.len()], values }
        }
        "ReduceMean" => {
            assert_eq!((&attributes["axes"], &attributes["keepdims"]), (&vec![2], &vec![0]));
            let n = x.shape[2];
            let values = x.values.chunks_exact(n).map(|group| group.iter().sum::<f64>() / n as f64).collect();
            Value { shape: x.shape[..2].to_vec(), values }
        }
        "Softmax" => {
            assert_eq!(attributes["axis"], [x.shape.len() as i64 - 1]);
            let softmax = |group: &[f64]| {
                let exponentials: Vec<f64> = group.iter().map(|&x| libm::exp(x)).collect();
                let sum: f64 = exponentials.iter().sum();
                exponentials.into_iter().map(move |x| x / sum)
            };
            let groups = x.values.chunks_exact(x.shape[x.shape.len() - 1]);
            Value { shape: x.shape.clone(), values: groups.flat_map(softmax).collect() }
        }
        // By a vector, over the last axis.
        "MatMul" => {
            let vector = inputs[1];
            assert_eq!(x.shape.last(), Some(&vector.values.len()));
            let product = |group: &[f64]| group.iter().zip(&vector.values).map(|(x, y)| x * y).sum();
            let values = x.values.chunks_exact(vector.values.len()).map(product).collect();
            Value { shape: x.shape[..x.shape.len() - 1].to_vec(), values }
        }
        "ArgMax" => {
            assert_eq!((&attributes["axis"], &attributes["keepdims"]), (&vec![1], &vec![0]));
            let first_largest = |row: &[f64]| {
                let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                row.iter().position(|&value| value == largest).expect("a row is not empty") as f64
            };
            Value { shape: vec![x.shape[0]], values: x.values.chunks_exact(x.shape[1]).map(first_largest).collect() }
        }
        "Conv" => convolve(inputs, &attributes["strides"], &attributes["pads"]),
        other => panic!("operator {other}, which this test does not know"),
    }
}

/// Shapes are equal, or the second is a row for all rows of the first, or a number.
fn broadcast(inputs: &[&Value], f: fn(f64, f64) -> f64) -> Value {
    let (a, b) = (inputs[0], inputs[1]);
    assert!(a.shape == b.shape || b.shape == [1] || (b.shape.len() == 1 && a.shape.last() == b.shape.first()));
    let values = a.values.iter().zip(b.values.iter().cycle()).map(|(&a, &b)| f(a, b)).collect();
    Value { shape: a.shape.clone(), values }
}

fn gemm(inputs: &[&Value]) -> Value {
    let (a, b) = (inputs[0], inputs[1]);
    let (k, n) = (b.shape[0], b.shape[1]);
    assert_eq!(a.shape[1], k);
    let mut values = Vec::new();
    for row in a.values.chunks_exact(k) {
        for j in 0..n {
            let bias = inputs.get(2).map_or(0.0, |bias| bias.values[j]);
            values.push(bias + row.iter().enumerate().map(|(i, x)| x * b.values[i * n + j]).sum::<f64>());
        }
    }
    Value { shape: vec![a.shape[0], n], values }
}

fn transpose(x: &Value, perm: &[i64]) -> Value {
    let stride = |axis: usize| x.shape[axis + 1..].iter().product::<usize>();
    let axes: Vec<usize> = perm.iter().map(|&axis| axis as usize).collect();
    let shape: Vec<usize> = axes.iter().map(|&axis| x.shape[axis]).collect();
    let value = |mut place: usize| {
        let mut at = 0;
        for (&axis, &n) in axes.iter().zip(&shape).rev() {
            at += place % n * stride(axis);
            place /= n;
        }
        x.values[at]
    };
    Value { values: (0..x.values.len()).map(value).collect(), shape }
}

/// A correlation over images with their channels first, zeros around them.
fn convolve(inputs: &[&Value], strides: &[i64], pads: &[i64]) -> Value {
    let (x, w, bias) = (inputs[0], inputs[1], inputs[2]);
    let &[batch, channels, height, width] = &x.shape[..] else { panic!("images have four axes") };
    let &[filters, _, size, _] = &w.shape[..] else { panic!("filters have four axes") };
    let (stride, pad) = (strides[0], pads[0]);
    let over = |side: usize| (side + 2 * pad as usize - size) / stride as usize + 1;
    let shape = vec![batch, filters, over(height), over(width)];
    let pixel = |image: usize, channel: usize, y: i64, x_: i64| {
        let inside = (0..height as i64).contains(&y) && (0..width as i64).contains(&x_);
        let at = ((image * channels + channel) * height + y.max(0) as usize) * width + x_.max(0) as usize;
        if inside { x.values[at] } else { 0.0 }
    };
    let mut values = Vec::new();
    for image in 0..batch {
        for filter in 0..filters {
            for y in 0..shape[2] as i64 {
                for x in 0..shape[3] as i64 {
                    let mut sum = bias.values[filter];
                    for channel in 0..channels {
                        for (row, column) in (0..size).flat_map(|row| (0..size).map(move |column| (row, column))) {
                            let weight = w.values[((filter * channels + channel) * size + row) * size + column];
                            let (y, x) = (y * stride - pad + row as i64, x * stride - pad + column as i64);
                            sum += weight * pixel(image, channel, y, x);
                        }
                    }
                    values.push(sum);
                }
            }
        }
    }
    Value { shape, values }
}
