using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Dataplane.Native.Abi;

/// <summary>What BPF_MAP_CREATE reads of its argument, &lt;linux/bpf.h&gt;.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/bpf.h", "union bpf_attr", IsBeginning = true)]
internal struct bpf_attr_map_create
{
    public uint map_type;
    public uint key_size;
    public uint value_size;
    public uint max_entries;
    public uint map_flags;
    public uint inner_map_fd;
    public uint numa_node;
    public Bytes16 map_name;
}

/// <summary>What the commands for one element of a map read.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/bpf.h", "union bpf_attr", IsBeginning = true)]
internal struct bpf_attr_map_element
{
    public uint map_fd;
    public ulong key;
    public ulong value;
    public ulong flags;
}

/// <summary>What BPF_PROG_LOAD reads.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/bpf.h", "union bpf_attr", IsBeginning = true)]
internal struct bpf_attr_prog_load
{
    public uint prog_type;
    public uint insn_cnt;
    public ulong insns;
    public ulong license;
    public uint log_level;
    public uint log_size;
    public ulong log_buf;
    public uint kern_version;
    public uint prog_flags;
    public Bytes16 prog_name;
}

/// <summary>What BPF_LINK_CREATE reads, since 5.7; for interfaces since 5.9.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("linux/bpf.h", "union bpf_attr", IsBeginning = true)]
internal struct bpf_attr_link_create
{
    [KernelField("link_create.prog_fd")]
    public uint prog_fd;

    [KernelField("link_create.target_ifindex")]
    public uint target_ifindex;

    [KernelField("link_create.attach_type")]
    public uint attach_type;

    [KernelField("link_create.flags")]
    public uint flags;
}

/// <summary>Name of a BPF object, ended by a zero byte.</summary>
[InlineArray(16)]
internal struct Bytes16
{
    private byte _first;
}

/// <summary>Constants of bpf(2) and of its instructions.</summary>
[KernelConstants("linux/bpf.h")]
internal static class Bpf
{
    internal const int BPF_MAP_CREATE = 0;
    internal const int BPF_MAP_UPDATE_ELEM = 2;
    internal const int BPF_MAP_DELETE_ELEM = 3;
    internal const int BPF_PROG_LOAD = 5;
    internal const int BPF_LINK_CREATE = 28;

    internal const uint BPF_MAP_TYPE_HASH = 1;
    internal const uint BPF_MAP_TYPE_ARRAY = 2;
    internal const uint BPF_MAP_TYPE_DEVMAP = 14;
    internal const uint BPF_MAP_TYPE_XSKMAP = 17;
    internal const uint BPF_F_MMAPABLE = 1024;    // since 5.5
    internal const uint BPF_F_XDP_HAS_FRAGS = 1U << 5;    // since 5.18
    internal const uint BPF_PROG_TYPE_XDP = 6;
    internal const uint BPF_XDP = 37;
    internal const int BPF_FUNC_map_lookup_elem = 1;
    internal const int BPF_FUNC_redirect_map = 51;
    internal const int BPF_FUNC_xdp_get_buff_len = 188;    // since 5.18
    internal const int BPF_PSEUDO_MAP_FD = 1;
    internal const int XDP_DROP = 1;
    internal const int XDP_PASS = 2;
    internal const int XDP_REDIRECT = 4;

    internal const int BPF_LD = 0x00;
    internal const int BPF_LDX = 0x01;
    internal const int BPF_ST = 0x02;
    internal const int BPF_STX = 0x03;
    internal const int BPF_ALU = 0x04;
    internal const int BPF_JMP = 0x05;
    internal const int BPF_JMP32 = 0x06;
    internal const int BPF_ALU64 = 0x07;
    internal const int BPF_W = 0x00;
    internal const int BPF_H = 0x08;
    internal const int BPF_B = 0x10;
    internal const int BPF_DW = 0x18;
    internal const int BPF_IMM = 0x00;
    internal const int BPF_MEM = 0x60;
    internal const int BPF_K = 0x00;
    internal const int BPF_X = 0x08;
    internal const int BPF_ADD = 0x00;
    internal const int BPF_ATOMIC = 0xC0;
    internal const int BPF_OR = 0x40;
    internal const int BPF_XOR = 0xA0;
    internal const int BPF_RSH = 0x70;
    internal const int BPF_AND = 0x50;
    internal const int BPF_LSH = 0x60;
    internal const int BPF_MOV = 0xB0;
    internal const int BPF_END = 0xD0;
    internal const int BPF_TO_BE = 0x08;
    internal const int BPF_JA = 0x00;
    internal const int BPF_JEQ = 0x10;
    internal const int BPF_JGT = 0x20;
    internal const int BPF_JNE = 0x50;
    internal const int BPF_JLT = 0xA0;
    internal const int BPF_CALL = 0x80;
    internal const int BPF_EXIT = 0x90;
}
