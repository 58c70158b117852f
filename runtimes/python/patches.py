"""Changes to compiled functions of a finished component, where CPython's or the C library's own source would have
to change: neither the source nor its compiler can be had from a package registry.

Functions are found by their names in the module's name section; each change says what it expects, and a build
that does not find exactly that fails. What is changed and why:

C library (wasi-libc, `file.c`, `read.c`, `write.c`):
- A file has one position. The library keeps up to three: its own, that of a stream to read and that of a stream
  to write, and in append mode it believes that the first is the end of the file. So reading after writing
  (`a+`, `r+`) and `lseek` gave wrong answers. `read` and `write` of files now go by position, as `pread` and
  `pwrite` do, and so have exact error numbers too: a full file system is ENOSPC and no longer EIO. `pread`
  frees an address that it never got when it fails.
- Of preopened folders with equally long names the first wins: `.`, which is for programs that do not know where
  they are, must not hide `/`.

CPython:
- Exceptions get Linux' error numbers, from the table of `bootstrap/sre_errors.py`.
- Objects that are nested deeply are released in turns when the C stack runs short. CPython measures only the
  part of that stack that is in linear memory, and releasing takes nothing of it; now it does, so that the
  engine's own stack does not run out first.
- A lock that would never be free raises RuntimeError: there is no other thread to release it. A wait
  with a time limit sleeps.
"""

CODE, CUSTOM, IMPORT, FUNCTION_IMPORT = 10, 0, 2, 0

# Opcodes of the few instructions used here: name, code, and how the rest is encoded.
OPCODES = {
    "block": (0x02, "type"), "loop": (0x03, "type"), "if": (0x04, "type"), "end": (0x0B, ""), "br_if": (0x0D, "u"), "return": (0x0F, ""), "call": (0x10, "u"),
    "drop": (0x1A, ""), "local.get": (0x20, "u"), "local.set": (0x21, "u"), "local.tee": (0x22, "u"), "global.get": (0x23, "u"),
    "global.set": (0x24, "u"), "i32.load": (0x28, "m2"), "i32.load8_u": (0x2D, "m0"), "i64.load": (0x29, "m3"), "i32.store": (0x36, "m2"),
    "i64.store": (0x37, "m3"), "i32.const": (0x41, "s"), "i64.const": (0x42, "s"), "i32.eqz": (0x45, ""), "i32.eq": (0x46, ""), "i32.lt_s": (0x48, ""),
    "i32.gt_u": (0x4B, ""), "i64.lt_s": (0x53, ""), "i32.add": (0x6A, ""), "i32.sub": (0x6B, ""), "i32.and": (0x71, ""), "i64.add": (0x7C, ""),
    "i64.div_u": (0x80, ""), "i64.rem_u": (0x82, ""), "i32.wrap_i64": (0xA7, ""), "i64.extend_i32_s": (0xAC, ""),
}  # fmt: skip
UNREACHABLE, NOP = 0x00, 0x01
EMPTY_BLOCK_TYPE = 0x40


def unsigned(value):
    out = bytearray()
    while True:
        out.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(out)


def signed(value):
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        if value == (-1 if byte & 0x40 else 0):
            out.append(byte)
            return bytes(out)
        out.append(byte | 0x80)


def read_unsigned(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def read_sections(data, at, end):
    """Sections as pairs of number and content."""
    found = []
    while at < end:
        number = data[at]
        size, at = read_unsigned(data, at + 1)
        found.append([number, data[at : at + size]])
        at += size
    return found


def write_sections(header, found):
    return header + b"".join(bytes([number]) + unsigned(len(content)) + content for number, content in found)


class Module:
    """A core module whose functions can be changed."""

    def __init__(self, data):
        self.header = data[:8]
        self.sections = read_sections(data, 8, len(data))
        self.names = self.read_names()
        self.indices = {}
        for index, name in self.names.items():
            self.indices.setdefault(name, index)
        self.imported = self.count_imports()
        (self.code,) = [section for section in self.sections if section[0] == CODE]
        self.bodies = self.read_bodies()

    def read_names(self, kind=1):
        """Names of functions (1) or globals (7)."""
        for number, content in self.sections:
            if number == CUSTOM:
                length, at = read_unsigned(content, 0)
                if content[at : at + length] != b"name":
                    continue
                at += length
                while at < len(content):
                    found = content[at]
                    size, at = read_unsigned(content, at + 1)
                    if found == kind:
                        return self.read_name_map(content, at)
                    at += size
        return {}

    @staticmethod
    def read_name_map(content, at):
        names = {}
        count, at = read_unsigned(content, at)
        for _ in range(count):
            index, at = read_unsigned(content, at)
            length, at = read_unsigned(content, at)
            names[index] = content[at : at + length].decode()
            at += length
        return names

    def count_imports(self):
        """How many functions are imported."""
        for number, content in self.sections:
            if number == IMPORT:
                break
        count, at = read_unsigned(content, 0)
        functions = 0
        for _ in range(count):
            for _ in range(2):
                length, at = read_unsigned(content, at)
                at += length
            kind = content[at]
            at += 1
            if kind == FUNCTION_IMPORT:
                functions += 1
                _, at = read_unsigned(content, at)
            elif kind == 1:  # a table
                at, flags = at + 2, content[at + 1]
                for _ in range(1 + (flags & 1)):
                    _, at = read_unsigned(content, at)
            elif kind == 2:  # a memory
                at, flags = at + 1, content[at]
                for _ in range(1 + (flags & 1)):
                    _, at = read_unsigned(content, at)
            else:  # a global
                at += 2
        return functions

    def read_bodies(self):
        bodies = []
        count, at = read_unsigned(self.code[1], 0)
        for _ in range(count):
            size, at = read_unsigned(self.code[1], at)
            bodies.append(self.code[1][at : at + size])
            at += size
        return bodies

    def function(self, name):
        if name not in self.indices:
            raise SystemExit(f"there is no function {name}")
        return self.indices[name]

    def global_(self, name):
        (index,) = [index for index, found in self.read_names(7).items() if found == name]
        return index

    def place(self, name):
        return self.function(name) - self.imported

    def assemble(self, text):
        """Machine code of instructions, one a line."""
        code = bytearray()
        for line in text.splitlines():
            if not line.strip():
                continue
            name, *arguments = line.split("#")[0].split()
            opcode, form = OPCODES[name]
            code.append(opcode)
            if form == "type":
                code.append(EMPTY_BLOCK_TYPE)
            elif form == "s":
                code += signed(int(arguments[0]))
            elif form == "u":
                if name == "call":
                    code += unsigned(self.function(arguments[0]))
                elif name.startswith("global") and not arguments[0].isdigit():
                    code += unsigned(self.global_(arguments[0]))
                else:
                    code += unsigned(int(arguments[0]))
            elif form.startswith("m"):
                code += bytes([int(form[1:])]) + unsigned(int(arguments[0]) if arguments else 0)
        return bytes(code)

    def instructions_at(self, body):
        """Where the instructions of a body begin, after its locals."""
        count, at = read_unsigned(body, 0)
        for _ in range(count):
            _, at = read_unsigned(body, at)
            at += 1
        return at

    def prepend(self, name, text):
        """Runs instructions before a function. They may use the function's locals, which it sets itself, but for its parameters."""
        body = self.bodies[self.place(name)]
        at = self.instructions_at(body)
        self.bodies[self.place(name)] = body[:at] + self.assemble(text) + body[at:]

    def replace_body(self, name, locals_, text):
        """Replaces a function, with a list of how many locals of which type it has."""
        declared = unsigned(len(locals_)) + b"".join(unsigned(count) + bytes([kind]) for count, kind in locals_)
        self.bodies[self.place(name)] = declared + self.assemble(text) + bytes([OPCODES["end"][0]])

    def replace(self, name, old, new, times=1):
        """Replaces machine code in a function."""
        body = self.bodies[self.place(name)]
        if body.count(old) != times:
            raise SystemExit(f"{name} has {old.hex()} {body.count(old)} times and not {times}")
        self.bodies[self.place(name)] = body.replace(old, new)

    @staticmethod
    def padded(instruction, index):
        """Machine code as the linker writes it: with a number of five bytes."""
        opcode, _ = OPCODES[instruction]
        return bytes([opcode]) + bytes(index >> 7 * i & 0x7F | (0x80 if i < 4 else 0) for i in range(5))

    def call(self, name):
        return self.padded("call", self.function(name))

    def write(self):
        self.code[1] = unsigned(len(self.bodies)) + b"".join(unsigned(len(body)) + body for body in self.bodies)
        return write_sections(self.header, self.sections)


# Of an entry of the table of descriptors: where its data and its functions are; of the functions: the one that only files have.
# Of a file (`file_t`): where position and flags are.
ENTRY_DATA, ENTRY_FUNCTIONS, GET_FILE = 0, 4, 20
FILE_POSITION, FILE_FLAGS, APPEND = 8, 16, 1


# What one call to the host moves at most, in bytes: hosts limit it, and the library copies it once more.
CHUNK_BYTES = 1 << 20


def by_position(function, before=""):
    """`read` or `write` of a file in terms of `pread` or `pwrite`, in chunks. Parameters: descriptor, buffer, size. Locals: the
    file, the result of a call, how much is done, the size of a chunk."""
    return f"""
        block
          local.get 0
          call descriptor_table_get_ref
          local.tee 3
          i32.eqz
          br_if 0
          local.get 3
          i32.load {ENTRY_FUNCTIONS}
          i32.load {GET_FILE}
          i32.eqz
          br_if 0
          local.get 3
          i32.load {ENTRY_DATA}
          local.set 3
          {before}
          loop
            local.get 2
            local.get 5
            i32.sub
            local.tee 6
            i32.const {CHUNK_BYTES}
            i32.gt_u
            if
              i32.const {CHUNK_BYTES}
              local.set 6
            end
            local.get 0
            local.get 1
            local.get 5
            i32.add
            local.get 6
            local.get 3
            i64.load {FILE_POSITION}
            call {function}
            local.tee 4
            i32.const 0
            i32.lt_s
            if                                # an error, unless something was moved before
              local.get 5
              if
                local.get 5
                return
              end
              i32.const -1
              return
            end
            local.get 3
            local.get 3
            i64.load {FILE_POSITION}
            local.get 4
            i64.extend_i32_s
            i64.add
            i64.store {FILE_POSITION}
            local.get 5
            local.get 4
            i32.add
            local.set 5
            local.get 4
            i32.const {CHUNK_BYTES}
            i32.eq
            br_if 0
          end
          local.get 5
          return
        end
    """


def at_most_a_chunk():
    """`pread` and `pwrite` move less than they were asked to, which POSIX allows."""
    return f"""
        local.get 2
        i32.const {CHUNK_BYTES}
        i32.gt_u
        if
          i32.const {CHUNK_BYTES}
          local.set 2
        end
    """


TO_THE_END_IF_APPENDING = f"""local.get 3
          i32.load {FILE_FLAGS}
          i32.const {APPEND}
          i32.and
          if
            local.get 3
            call file_seek_end
            i32.const 0
            i32.lt_s
            if
              i32.const -1
              return
            end
          end"""


def patch_libc(libc):
    libc.prepend("read", by_position("pread"))
    libc.prepend("write", by_position("pwrite", TO_THE_END_IF_APPENDING))
    for name in "pread", "pwrite":
        libc.prepend(name, at_most_a_chunk())
    # `pread` frees the list of bytes that it was not given when it fails: let it be empty.
    frame = libc.assemble("local.tee 4") + libc.padded("global.set", libc.global_("__stack_pointer"))
    libc.replace("pread", frame, frame + libc.assemble("local.get 4\ni64.const 0\ni64.store 16"))
    # `oflag & O_APPEND` becomes false: a position is what it is, and relative to the end is relative to the end.
    flag = libc.assemble(f"i32.load8_u {FILE_FLAGS}\ni32.const {APPEND}\ni32.and")
    libc.replace("file_seek", flag, libc.assemble(f"i32.load8_u {FILE_FLAGS}\ni32.const 0\ni32.and"), times=2)
    # Length ≤ longest so far: look on. Becomes <; the loop goes from the last folder to the first.
    shorter = libc.assemble("local.get 9\nlocal.get 5")
    less_or_equal, less = b"\x4d", b"\x49"
    libc.replace("__wasilibc_find_abspath", shorter + less_or_equal, shorter + less)


# What releasing one object counts as, in bytes of the stack in linear memory. Of that CPython leaves 112 KiB before it takes turns.
RELEASE_STACK_BYTES = 64

PARK_TIMEOUT, PARK_INTERRUPTED = -2, -3
I32 = 0x7F
NANOSECONDS = 1_000_000_000


def patch_python(python, constants):
    name = "PyErr_SetFromErrnoWithFilenameObjects"
    call = python.call("strerror")
    translate = f"""
        i32.const {constants["errno_table"]["address"]}
        local.get 4
        i32.const 255
        i32.and
        i32.add
        i32.load8_u
        local.set 4
    """
    python.replace(name, call, call + python.assemble(translate))
    # `_Py_Dealloc` keeps the pointer that it found and restores it.
    found = python.padded("global.get", python.global_("__stack_pointer")) + python.assemble("local.set 1")
    take = f"""
        local.get 1
        i32.const {RELEASE_STACK_BYTES}
        i32.sub
        global.set __stack_pointer
    """
    python.replace("_Py_Dealloc", found, found + python.assemble(take))
    python.replace_body("_PyParkingLot_Park", [(1, I32)], f"""
        local.get 3                             # the time limit in nanoseconds, or -1
        i64.const 0
        i64.lt_s
        if
          i32.const {constants["runtime_error"]["address"]}
          i32.const {constants["deadlock_message"]["address"]}
          call PyErr_SetString
          i32.const {PARK_INTERRUPTED}
          return
        end
        global.get __stack_pointer
        i32.const 16
        i32.sub
        local.tee 6
        global.set __stack_pointer
        local.get 6
        local.get 3
        i64.const {NANOSECONDS}
        i64.div_u
        i64.store
        local.get 6
        local.get 3
        i64.const {NANOSECONDS}
        i64.rem_u
        i32.wrap_i64
        i32.store 8
        local.get 6
        i32.const 0
        call nanosleep
        drop
        local.get 6
        i32.const 16
        i32.add
        global.set __stack_pointer
        i32.const {PARK_TIMEOUT}
    """)  # fmt: skip
    # Both ask whether a signal's handler raised. The exception is there already.
    for name, times in ("_PyMutex_LockTimed", 1), ("_queue_SimpleQueue_get_impl", 2):
        call = python.call("Py_MakePendingCalls")
        python.replace(name, call, python.assemble("i32.const -1") + bytes([NOP]) * (len(call) - 2), times)
    # Locks of the interpreter itself, whose waits cannot fail: only a bug gets there, and it must not loop without end.
    name = "_PyMutex_LockTimed"
    call = python.call("_PyParkingLot_Park")
    body = python.bodies[python.place(name)]
    if body.count(call) != 2:
        raise SystemExit(f"{name} has other loops")
    at = body.rindex(call)
    body = body[:at] + bytes([UNREACHABLE]) + bytes([NOP]) * (len(call) - 1) + body[at + len(call) :]
    python.bodies[python.place(name)] = body


CORE_MODULE = 1


def patch(data, constants):
    """The component with its C library and its Python changed."""
    header, found = data[:8], read_sections(data, 8, len(data))
    patched = set()
    for section in found:
        if section[0] != CORE_MODULE:
            continue
        content = bytes(section[1])
        if b"__wasilibc_find_abspath" not in content and b"_PyParkingLot_Park" not in content:
            continue
        module = Module(content)
        if module.indices.get("__wasilibc_find_abspath", -1) >= module.imported:
            patch_libc(module)
            patched.add("libc")
        elif module.indices.get("_PyParkingLot_Park", -1) >= module.imported:
            patch_python(module, constants)
            patched.add("python")
        else:
            continue
        section[1] = module.write()
    if patched != {"libc", "python"}:
        raise SystemExit(f"only {sorted(patched)} found to patch")
    return write_sections(header, found)
