# The fast clock of a guest: a shared object of one page, as `man 7 vdso` describes the kernel's, with the order's time.
#
# It is never run where it is linked. A copy is written over the first page of the kernel's own in each new program, its
# slots filled; the program starts at `begin`, which puts the page of the clock in place and goes on to the entry point.
# Functions keep to the System V calling convention, and neither call anything nor use the stack. What is assembled here
# is read by the C library of every program and by `readelf` in the tests.
#
# Formats: System V ABI, generic part (ELF, dynamic section, hash table); Linux Standard Base (symbol versions,
# .eh_frame_hdr). Addresses are offsets from the start, as the object is linked to 0.

    .pushsection .rodata.sre_fast_clock, "a", @progbits
    .balign 16
    .globl sre_fast_clock
    .hidden sre_fast_clock
sre_fast_clock:

# ELF header: 64 bits, little-endian, shared object, x86-64. There are no sections.
    .byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0
    .quad 0
    .short 3, 62
    .long 1
    .quad 0
    .quad .Lheaders - sre_fast_clock
    .quad 0
    .long 0
    .short 64, 56, 3, 64, 0, 0

.Lheaders:
# PT_LOAD: all of it, readable and executable.
    .long 1, 5
    .quad 0, 0, 0
    .quad .Lend - sre_fast_clock, .Lend - sre_fast_clock
    .quad 4096
# PT_DYNAMIC, readable.
    .long 2, 4
    .quad .Ldynamic - sre_fast_clock, .Ldynamic - sre_fast_clock, .Ldynamic - sre_fast_clock
    .quad .Ldynamic_end - .Ldynamic, .Ldynamic_end - .Ldynamic
    .quad 8
# PT_GNU_EH_FRAME, readable.
    .long 0x6474e550, 4
    .quad .Lunwind - sre_fast_clock, .Lunwind - sre_fast_clock, .Lunwind - sre_fast_clock
    .quad .Lframes - .Lunwind, .Lframes - .Lunwind
    .quad 4

    .balign 8
.Ldynamic:
    .quad 14, .Lname - .Lstrings                # DT_SONAME
    .quad 4, .Lhash - sre_fast_clock            # DT_HASH
    .quad 5, .Lstrings - sre_fast_clock         # DT_STRTAB
    .quad 6, .Lsymbols - sre_fast_clock         # DT_SYMTAB
    .quad 10, .Lstrings_end - .Lstrings         # DT_STRSZ
    .quad 11, 24                                # DT_SYMENT
    .quad 0x6ffffff0, .Lversions - sre_fast_clock       # DT_VERSYM
    .quad 0x6ffffffc, .Ldefinitions - sre_fast_clock    # DT_VERDEF
    .quad 0x6ffffffd, 2                                 # DT_VERDEFNUM
    .quad 0, 0
.Ldynamic_end:

# Four global functions. Which section they are in must only not be "none".
    .macro symbol name, function
    .long \name - .Lstrings
    .byte 0x12, 0
    .short 1
    .quad \function - sre_fast_clock, \function\()_end - \function
    .endm
.Lsymbols:
    .quad 0, 0, 0
    symbol .Lname_gettime, .Lgettime
    symbol .Lname_getres, .Lgetres
    symbol .Lname_gettimeofday, .Lgettimeofday
    symbol .Lname_time, .Ltime

# One bucket with all of them: no program has to compute a name's hash for so few.
.Lhash:
    .long 1, 5
    .long 1
    .long 0, 2, 3, 4, 0

# The version of each symbol, and both versions that are defined: the object's own and LINUX_2.6, with their hashes.
.Lversions:
    .short 0, 2, 2, 2, 2
    .balign 4
.Ldefinitions:
    .short 1, 1, 1, 1
    .long 0xdeebfa1, 20, 28
    .long .Lname - .Lstrings, 0
    .short 1, 0, 2, 1
    .long 0x3ae75f6, 20, 0
    .long .Lversion - .Lstrings, 0

.Lstrings:
    .byte 0
.Lname: .asciz "linux-vdso.so.1"
.Lversion: .asciz "LINUX_2.6"
.Lname_gettime: .asciz "__vdso_clock_gettime"
.Lname_getres: .asciz "__vdso_clock_getres"
.Lname_gettimeofday: .asciz "__vdso_gettimeofday"
.Lname_time: .asciz "__vdso_time"
.Lstrings_end:

# For code that unwinds the stack from here, after a signal, say: the return address is on top, everywhere.
    .balign 4
.Lunwind:
    .byte 1, 0x1b, 0x03, 0x3b
    .long .Lframes - .
    .long 1
    .long .Ltext - .Lunwind, .Lfunctions_frame - .Lunwind
.Lframes:
    .long .Lcommon_end - .Lcommon
.Lcommon:
    .long 0
    .byte 1, 'z', 'R', 0
    .byte 1, 0x78, 16, 1, 0x1b                  # code by 1, data by -8, return address 16, relative addresses
    .byte 0x0c, 7, 8                            # the frame is 8 above the stack pointer
    .byte 0x90, 1                               # and the return address 8 below that
    .balign 4, 0
.Lcommon_end:
.Lfunctions_frame:
    .long .Lfunctions_end - .Lfunctions
.Lfunctions:
    .long . - .Lcommon + 4
    .long .Ltext - .
    .long .Ltext_end - .Ltext
    .byte 0
    .balign 4, 0
.Lfunctions_end:
    .long 0

# What is filled in for each program.
    .balign 8
    .globl sre_fast_clock_slots
    .hidden sre_fast_clock_slots
sre_fast_clock_slots:
.Lentry: .quad 0                                # where the program begins
.Llist: .quad 0                                 # where its start-up list names this object
.Lkernel: .quad 0, 0                            # the pages of the kernel's time: from where, how many bytes

    .balign 16
.Ltext:

# A read, as `Clock::read` has it: it takes time, and other threads read too. rax is the time since the start, r8 the
# page. While a wait is noted, or for what is not known here, the kernel is asked, and so the first process of the jail.
    .macro read_clock otherwise
    movabs ${page}, %r8
    cmpl $0, {noted}(%r8)
    jne \otherwise
    mov ${resolution}, %eax
    lock xadd %rax, {elapsed}(%r8)
    add ${resolution}, %rax
    .endm

# rax as a date; as late as can be where the sum is too large.
    .macro since_epoch
    mov $-1, %rcx
    add {start}(%r8), %rax
    cmovc %rcx, %rax
    .endm

# Seconds into rax, nanoseconds into rdx.
    .macro seconds
    xor %edx, %edx
    mov $1000000000, %ecx
    div %rcx
    .endm

# int clock_gettime(clockid_t edi, struct timespec *rsi). Four of the twelve clocks show the date: see `calls.rs`.
    .balign 16
.Lgettime:
    cmp $11, %edi
    ja 2f
    read_clock 2f
    mov ${dates}, %ecx
    bt %edi, %ecx
    jnc 1f
    since_epoch
1:  seconds
    mov %rax, (%rsi)
    mov %rdx, 8(%rsi)
    xor %eax, %eax
    ret
2:  mov $228, %eax
    syscall
    ret
.Lgettime_end:

# int clock_getres(clockid_t edi, struct timespec *rsi), which may be null.
    .balign 16
.Lgetres:
    cmp $11, %edi
    ja 2f
    test %rsi, %rsi
    jz 1f
    movq $0, (%rsi)
    movq ${resolution}, 8(%rsi)
1:  xor %eax, %eax
    ret
2:  mov $229, %eax
    syscall
    ret
.Lgetres_end:

# int gettimeofday(struct timeval *rdi, struct timezone *rsi); both may be null.
    .balign 16
.Lgettimeofday:
    read_clock 3f
    since_epoch
    test %rdi, %rdi
    jz 1f
    seconds
    mov %rax, (%rdi)
    mov %rdx, %rax
    xor %edx, %edx
    mov $1000, %ecx
    div %rcx
    mov %rax, 8(%rdi)
1:  test %rsi, %rsi
    jz 2f
    movq $0, (%rsi)
2:  xor %eax, %eax
    ret
3:  mov $96, %eax
    syscall
    ret
.Lgettimeofday_end:

# time_t time(time_t *rdi), which may be null.
    .balign 16
.Ltime:
    read_clock 2f
    since_epoch
    seconds
    test %rdi, %rdi
    jz 1f
    mov %rax, (%rdi)
1:  ret
2:  mov $201, %eax
    syscall
    ret
.Ltime_end:
.Ltext_end:

# Before the program's first instruction; all registers but the stack pointer are zero, and are so again at its end.
    .balign 16
    .globl sre_fast_clock_begin
    .hidden sre_fast_clock_begin
sre_fast_clock_begin:
# The kernel's time is in memory beside its code: munmap.
    mov $11, %eax
    mov .Lkernel(%rip), %rdi
    mov .Lkernel+8(%rip), %rsi
    syscall
# The page of the clock, readable and writable, exactly there and only if nothing else is: shmat.
    mov $30, %eax
    mov ${segment}, %edi
    movabs ${page}, %rsi
    xor %edx, %edx
    syscall
    cmp %rsi, %rax
    je 1f
# Zero: the program is not to find this object. An entry of kind 1 is to be ignored.
    mov .Llist(%rip), %rdi
    movq $1, (%rdi)
1:  xor %eax, %eax
    xor %ecx, %ecx
    xor %edx, %edx
    xor %esi, %esi
    xor %edi, %edi
    xor %r11d, %r11d
    jmp *.Lentry(%rip)
.Lend:
    .globl sre_fast_clock_end
    .hidden sre_fast_clock_end
sre_fast_clock_end:
    .popsection
