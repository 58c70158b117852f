//! How many values the blocks and functions of a module take and return.

use wasmparser::{
    BlockType, CompositeInnerType, FunctionSectionReader, ImportSectionReader, TypeRef,
    TypeSectionReader,
};

/// Values that go in and come out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signature {
    pub(super) takes: u64,
    pub(super) returns: u64,
}

impl Signature {
    pub(super) fn values(self) -> u64 {
        self.takes + self.returns
    }
}

/// The types of one module. An index that leads nowhere counts as nothing; the compiler refuses it.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    types: Vec<Signature>,
    /// The type of each function, imported ones first.
    functions: Vec<u32>,
    imported: usize,
}

impl Signatures {
    pub(super) fn read_types(&mut self, section: TypeSectionReader<'_>) {
        for group in section.into_iter().map_while(Result::ok) {
            self.types
                .extend(group.types().map(|ty| match &ty.composite_type.inner {
                    CompositeInnerType::Func(function) => Signature {
                        takes: function.params().len() as u64,
                        returns: function.results().len() as u64,
                    },
                    _ => Signature::default(),
                }));
        }
    }

    pub(super) fn read_imports(&mut self, section: ImportSectionReader<'_>) {
        for import in section.into_imports().map_while(Result::ok) {
            if let TypeRef::Func(ty) | TypeRef::FuncExact(ty) = import.ty {
                self.functions.push(ty);
            }
        }
        self.imported = self.functions.len();
    }

    pub(super) fn read_functions(&mut self, section: FunctionSectionReader<'_>) {
        self.functions
            .extend(section.into_iter().map_while(Result::ok));
    }

    pub(super) fn of_type(&self, index: u32) -> Signature {
        self.types.get(index as usize).copied().unwrap_or_default()
    }

    pub(super) fn of_function(&self, index: u32) -> Signature {
        self.functions
            .get(index as usize)
            .map_or_else(Signature::default, |&ty| self.of_type(ty))
    }

    /// Of the function with the `number`th body.
    pub(super) fn of_body(&self, number: usize) -> Signature {
        let ty = self.functions.get(self.imported + number);
        ty.map_or_else(Signature::default, |&ty| self.of_type(ty))
    }

    pub(super) fn of_block(&self, block: BlockType) -> Signature {
        match block {
            BlockType::Empty => Signature::default(),
            BlockType::Type(_) => Signature {
                takes: 0,
                returns: 1,
            },
            BlockType::FuncType(index) => self.of_type(index),
        }
    }
}
