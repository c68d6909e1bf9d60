using System.Runtime.InteropServices;
using static Dataplane.Native.Abi.Bpf;

namespace Dataplane.Native;

/// <summary>Writes programs for the kernel's BPF machine, one instruction per call (RFC 9669).</summary>
/// <remarks>Registers are 0 to 10: 1 to 5 are arguments of calls and lost by them, 0 is what a call or the program returns, 10 the frame of the stack.</remarks>
internal sealed class BpfAssembler
{
    private readonly List<ulong> _code = [];
    private readonly List<int> _labels = [];
    private readonly List<(int At, int Label)> _jumps = [];

    /// <summary>A place that jumps go to before it is known.</summary>
    internal readonly record struct Label(int Number);

    internal Label NewLabel()
    {
        _labels.Add(-1);
        return new Label(_labels.Count - 1);
    }

    /// <summary>Puts a label in front of the next instruction.</summary>
    internal void Mark(Label label) => _labels[label.Number] = _code.Count;

    internal void Move(int target, int source) => Add(BPF_ALU64 | BPF_MOV | BPF_X, target, source, 0, 0);

    internal void Set(int target, int value) => Add(BPF_ALU64 | BPF_MOV | BPF_K, target, 0, 0, value);

    internal void Plus(int target, int value) => Add(BPF_ALU64 | BPF_ADD | BPF_K, target, 0, 0, value);

    internal void PlusRegister(int target, int source) => Add(BPF_ALU64 | BPF_ADD | BPF_X, target, source, 0, 0);

    internal void And(int target, int mask) => Add(BPF_ALU | BPF_AND | BPF_K, target, 0, 0, mask);

    internal void ShiftLeft(int target, int bits) => Add(BPF_ALU64 | BPF_LSH | BPF_K, target, 0, 0, bits);

    internal void ShiftRight(int target, int bits) => Add(BPF_ALU64 | BPF_RSH | BPF_K, target, 0, 0, bits);

    internal void Or(int target, int bits) => Add(BPF_ALU64 | BPF_OR | BPF_K, target, 0, 0, bits);

    internal void Xor(int target, int bits) => Add(BPF_ALU | BPF_XOR | BPF_K, target, 0, 0, bits);

    /// <summary>Clears the upper 32 bits.</summary>
    internal void Cut32(int target) => Add(BPF_ALU | BPF_MOV | BPF_X, target, target, 0, 0);

    /// <summary>Turns the low 16 bits from network order into the machine's.</summary>
    internal void FromNetwork16(int target) => Add(BPF_ALU | BPF_END | BPF_TO_BE, target, 0, 0, 16);

    /// <summary>Loads <paramref name="size"/> (BPF_B, BPF_H, BPF_W, BPF_DW) from where a register points.</summary>
    internal void Load(int size, int target, int source, int offset) => Add(BPF_LDX | BPF_MEM | size, target, source, offset, 0);

    internal void Store(int size, int target, int offset, int source) => Add(BPF_STX | BPF_MEM | size, target, source, offset, 0);

    internal void StoreNumber(int size, int target, int offset, int value) => Add(BPF_ST | BPF_MEM | size, target, 0, offset, value);

    /// <summary>Adds a register to 64 bits in memory, whoever else does so at the same time.</summary>
    internal void AtomicAdd(int target, int offset, int source) => Add(BPF_STX | BPF_ATOMIC | BPF_DW, target, source, offset, BPF_ADD);

    internal void Jump(Label label) => AddJump(BPF_JMP | BPF_JA, 0, 0, 0, label);

    /// <summary>Compares the low 32 bits with a number; kernel 5.1 or later.</summary>
    internal void JumpIf(int condition, int left, int right, Label label) => AddJump(BPF_JMP32 | condition | BPF_K, left, 0, right, label);

    /// <summary>Compares all 64 bits of two registers, as the verifier demands for packet pointers.</summary>
    internal void JumpIfRegister(int condition, int left, int right, Label label) => AddJump(BPF_JMP | condition | BPF_X, left, right, 0, label);

    /// <summary>Looks whether a call has returned nothing; the verifier believes in the pointer from here on.</summary>
    internal void JumpIfNull(int register, Label label) => AddJump(BPF_JMP | BPF_JEQ | BPF_K, register, 0, 0, label);

    /// <summary>Loads a map, by its descriptor; two instructions long.</summary>
    internal void LoadMap(int target, int descriptor)
    {
        Add(BPF_LD | BPF_DW | BPF_IMM, target, BPF_PSEUDO_MAP_FD, 0, descriptor);
        Add(0, 0, 0, 0, 0);
    }

    internal void Call(int function) => Add(BPF_JMP | BPF_CALL, 0, 0, 0, function);

    internal void Exit() => Add(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);

    /// <summary>The program, as struct bpf_insn.</summary>
    /// <exception cref="InvalidOperationException">A label was never marked, or lies too far away: a fault of the writer.</exception>
    internal ulong[] ToProgram()
    {
        foreach ((int at, int label) in _jumps)
        {
            int distance = _labels[label] - at - 1;
            if (_labels[label] < 0 || distance != (short)distance)
                throw new InvalidOperationException($"Label {label} of a BPF program is not within reach of instruction {at}.");
            _code[at] |= (ulong)(ushort)distance << 16;
        }

        _jumps.Clear();
        return CollectionsMarshal.AsSpan(_code).ToArray();
    }

    private void AddJump(int operation, int left, int right, int value, Label label)
    {
        _jumps.Add((_code.Count, label.Number));
        Add(operation, left, right, 0, value);
    }

    // struct bpf_insn is a byte, two registers of four bits, 16 bits of offset, 32 bits of number; in a little-endian machine, from the low end.
    private void Add(int operation, int target, int source, int offset, int number) =>
        _code.Add((byte)operation | (ulong)target << 8 | (ulong)source << 12 | (ulong)(ushort)offset << 16 | (ulong)(uint)number << 32);
}
