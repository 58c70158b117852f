//! Calls WASI preview 1 functions as a script tells it and reports what came back.
//!
//! Input: a JSON object whose every string after the first is one call (so `{"calls": ["…",
//! "…"]}`): the function's name and its arguments, separated by spaces.
//!
//! | argument | becomes |
//! |---|---|
//! | `12`, `-1`, `0x1f` | that number |
//! | `'text` | two arguments: address and length of the text; `%41` is the byte 0x41 |
//! | `&8` | address of 8 bytes to be filled, which are reported |
//! | `@8` | the same and its length: two arguments |
//! | `[8` | two arguments: a list of one buffer of 8 bytes, which are reported |
//! | `<text` | two arguments: a list of one buffer with the text |
//! | `=00ff` | address of these bytes |
//!
//! Output: a JSON list with one text per call: the errno, then what was reported, as hexadecimal
//! digits.

mod wasi;

/// One argument of a call, and the memory it points to.
enum Memory {
    Given(#[expect(dead_code, reason = "keeps alive what an address names")] Vec<u8>),
    Reported(Vec<u8>),
    Vectors(#[expect(dead_code, reason = "keeps alive what an address names")] Box<[u32; 2]>),
}

fn main() {
    let input = std::io::read_to_string(std::io::stdin()).expect("input");
    let texts = input.split('"').skip(1).step_by(2);
    let answers: Vec<String> = texts
        .skip(1)
        .map(|call| format!("\"{}\"", answer(call)))
        .collect();
    println!("[{}]", answers.join(","));
}

fn answer(call: &str) -> String {
    let mut words = call.split(' ');
    let name = words.next().unwrap_or_default();
    let mut memories = Vec::new();
    let mut arguments = Vec::new();
    for word in words {
        argument(word, &mut arguments, &mut memories);
    }
    let Some(errno) = wasi::call(name, &arguments) else {
        return format!("no function {name}/{}", arguments.len());
    };
    let mut answer = errno.to_string();
    for memory in &memories {
        if let Memory::Reported(bytes) = memory {
            answer.push(' ');
            answer.extend(bytes.iter().map(|byte| format!("{byte:02x}")));
        }
    }
    answer
}

fn argument(word: &str, arguments: &mut Vec<i64>, memories: &mut Vec<Memory>) {
    let (kind, rest) = word.split_at(word.len().min(1));
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).expect("digits") as i64,
        None => text
            .parse::<i64>()
            .unwrap_or_else(|_| text.parse::<u64>().expect("a number") as i64),
    };
    let bytes = match kind {
        "'" | "<" => unescape(rest),
        "&" | "@" | "[" => vec![0; number(rest) as usize],
        "=" => rest
            .as_bytes()
            .chunks(2)
            .map(|pair| hex(pair[0]) << 4 | hex(pair[1]))
            .collect(),
        _ => return arguments.push(number(word)),
    };
    let (address, length) = (bytes.as_ptr() as u32, bytes.len() as u32);
    let reported = matches!(kind, "&" | "@" | "[");
    memories.push(if reported {
        Memory::Reported(bytes)
    } else {
        Memory::Given(bytes)
    });
    match kind {
        "[" | "<" => {
            let vectors = Box::new([address, length]);
            arguments.extend([vectors.as_ptr() as i64, 1]);
            memories.push(Memory::Vectors(vectors));
        }
        "'" | "@" => arguments.extend([i64::from(address), i64::from(length)]),
        _ => arguments.push(i64::from(address)),
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next().expect("digit")) << 4 | hex(rest.next().expect("digit")),
            byte => byte,
        });
    }
    bytes
}

fn hex(digit: u8) -> u8 {
    (digit as char).to_digit(16).expect("a hexadecimal digit") as u8
}
