// syscalls: close
using Dataplane.Native.Abi;
using Microsoft.Win32.SafeHandles;

namespace Dataplane.Native;

/// <summary>Owns a file descriptor and closes it once nobody uses it.</summary>
/// <remarks>
/// Safe for use by several threads. A loop that makes many calls holds the descriptor open with one
/// <see cref="System.Runtime.InteropServices.SafeHandle.DangerousAddRef"/> for its life and passes <see cref="Number"/>.
/// </remarks>
public sealed class FileDescriptor : SafeHandleMinusOneIsInvalid
{
    /// <summary>Makes an invalid descriptor, for the marshaller to fill.</summary>
    public FileDescriptor()
        : base(ownsHandle: true)
    {
    }

    internal FileDescriptor(int number)
        : base(ownsHandle: true) => SetHandle(number);

    /// <summary>The number by which the kernel knows the descriptor; meaningful only while it is open.</summary>
    public int Number => (int)handle;

    /// <summary>Closes the descriptor.</summary>
    protected override bool ReleaseHandle() => Libc.Close((int)handle) == 0;

    /// <inheritdoc/>
    public override string ToString() => IsClosed || IsInvalid ? "fd closed" : $"fd {Number}";
}
