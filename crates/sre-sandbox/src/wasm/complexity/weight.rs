//! What a function asks of the compiler.

use wasmparser::{BlockType, FunctionBody, Operator};

use super::signatures::{Signature, Signatures};

/// Counts of one function. None of them is a time; each bounds a part of the compiler whose time
/// grows with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Weight {
    /// Blocks, loops and branches.
    pub(super) blocks: u64,
    /// Loops inside each other.
    pub(super) nested_loops: u64,
    /// Targets of all `br_table`s.
    pub(super) targets: u64,
    /// Values that these hand over.
    pub(super) target_values: u64,
    /// Values that blocks, branches and calls hand over: each is moved, or merged with others,
    /// however few bytes say so.
    pub(super) values: u64,
    /// Loops.
    pub(super) loops: u64,
    /// Ways through it: blocks and the targets of all branches. Where ways meet, every local may
    /// have to be merged.
    pub(super) ways: u64,
    /// Parameters and locals.
    pub(super) locals: u64,
}

impl Weight {
    /// Weighs a function up to its end or to where it is malformed.
    pub(super) fn of(
        body: &FunctionBody<'_>,
        signature: Signature,
        signatures: &Signatures,
    ) -> Self {
        let mut weight = Self {
            locals: signature.takes,
            ..Self::default()
        };
        let locals = body
            .get_locals_reader()
            .into_iter()
            .flatten()
            .map_while(Result::ok);
        weight.locals += locals.map(|(count, _)| u64::from(count)).sum::<u64>();
        let mut weighing = Weighing {
            weight,
            open: vec![Frame {
                is_loop: false,
                signature,
            }],
            loops: 0,
            signatures,
        };
        let operators = body
            .get_operators_reader()
            .into_iter()
            .flatten()
            .map_while(Result::ok);
        operators.for_each(|operator| weighing.add(&operator));
        weighing.weight
    }
}

struct Weighing<'a> {
    weight: Weight,
    /// What is open at this point; the function itself comes first.
    open: Vec<Frame>,
    /// Loops among them.
    loops: u64,
    signatures: &'a Signatures,
}

struct Frame {
    is_loop: bool,
    signature: Signature,
}

impl Weighing<'_> {
    fn add(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Block { blockty } | Operator::If { blockty } => self.enter(*blockty, false),
            Operator::Loop { blockty } => self.enter(*blockty, true),
            Operator::End => {
                self.loops -= u64::from(self.open.pop().is_some_and(|frame| frame.is_loop))
            }
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                self.branch(*relative_depth)
            }
            Operator::BrTable { targets } => {
                self.weight.targets += u64::from(targets.len()) + 1;
                let before = self.weight.values;
                targets
                    .targets()
                    .map_while(Result::ok)
                    .chain([targets.default()])
                    .for_each(|depth| self.branch(depth));
                self.weight.target_values += self.weight.values - before;
            }
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                self.weight.values += self.signatures.of_function(*function_index).values();
            }
            Operator::CallIndirect { type_index, .. }
            | Operator::ReturnCallIndirect { type_index, .. } => {
                self.weight.values += self.signatures.of_type(*type_index).values();
            }
            Operator::Return => {
                self.weight.values += self.open.first().map_or(0, |frame| frame.signature.returns)
            }
            _ => {}
        }
    }

    fn enter(&mut self, block: BlockType, is_loop: bool) {
        let signature = self.signatures.of_block(block);
        self.open.push(Frame { is_loop, signature });
        self.loops += u64::from(is_loop);
        self.weight.blocks += 1;
        self.weight.loops += u64::from(is_loop);
        self.weight.ways += 1;
        self.weight.values += signature.values();
        self.weight.nested_loops = self.weight.nested_loops.max(self.loops);
    }

    /// A branch to a loop hands over what the loop takes, one to a block what the block returns.
    fn branch(&mut self, depth: u32) {
        self.weight.ways += 1;
        let frame = self
            .open
            .len()
            .checked_sub(depth as usize + 1)
            .and_then(|index| self.open.get(index));
        self.weight.values += frame.map_or(0, |frame| {
            if frame.is_loop {
                frame.signature.takes
            } else {
                frame.signature.returns
            }
        });
    }
}
