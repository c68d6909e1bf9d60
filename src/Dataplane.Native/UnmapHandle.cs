// syscalls: munmap
using Dataplane.Native.Abi;
using Microsoft.Win32.SafeHandles;

namespace Dataplane.Native;

/// <summary>Owns a range of mapped address space, named by how it is freed.</summary>
internal sealed class UnmapHandle : SafeHandleMinusOneIsInvalid
{
    private readonly nuint _length;

    internal UnmapHandle(nint address, nuint length)
        : base(ownsHandle: true)
    {
        _length = length;
        SetHandle(address);
    }

    protected override bool ReleaseHandle() => Libc.Munmap(handle, _length) == 0;
}
