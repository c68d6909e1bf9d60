using System.Runtime.InteropServices;

namespace Dataplane.Native.Abi;

/// <summary>What statx(2) tells of a file, &lt;linux/stat.h&gt;; only its number is read.</summary>
[StructLayout(LayoutKind.Sequential)]
[KernelType("sys/stat.h")]
internal struct statx
{
    public uint stx_mask;
    public uint stx_blksize;
    public ulong stx_attributes;
    public uint stx_nlink;
    public uint stx_uid;
    public uint stx_gid;
    public ushort stx_mode;
    private readonly ushort _pad;
    public ulong stx_ino;
    private readonly Bytes216 _rest;
}

/// <summary>The rest of the structure, times and devices.</summary>
[System.Runtime.CompilerServices.InlineArray(27)]
internal struct Bytes216
{
    private ulong _first;
}

/// <summary>Constants of statx(2).</summary>
[KernelConstants("fcntl.h", "sys/stat.h")]
internal static class FileState
{
    internal const int AT_EMPTY_PATH = 0x1000;
    internal const uint STATX_INO = 0x100;
}
