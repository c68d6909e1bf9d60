using System.Runtime.InteropServices;
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>The kernel refused a call. The message names the call, what it was made for, the error and, where one is known, the remedy.</summary>
public sealed class LinuxException : IOException
{
    internal LinuxException(int errno, string call, string? subject = null, string? remedy = null)
        : base(Format(errno, call, subject, remedy ??= Remedies.For(errno, call)))
    {
        Errno = errno;
        Call = call;
        Subject = subject;
        Remedy = remedy;
    }

    /// <summary>The error number, as in errno(3).</summary>
    public int Errno { get; }

    /// <summary>The name of the error number, such as <c>EPERM</c>.</summary>
    public string ErrnoName => Abi.Errno.NameOf(Errno);

    /// <summary>The system call and the argument that tells its uses apart, such as <c>bind(AF_PACKET)</c>.</summary>
    public string Call { get; }

    /// <summary>What the call was made for, such as an interface name; null where there is no such thing.</summary>
    public string? Subject { get; }

    /// <summary>What an operator can do about it; null where nothing general can be said.</summary>
    public string? Remedy { get; }

    /// <summary>Makes the exception for the last failed call of this thread.</summary>
    internal static LinuxException FromLastError(string call, string? subject = null, string? remedy = null) =>
        new(Marshal.GetLastPInvokeError(), call, subject, remedy);

    /// <summary>Makes the exception for an interface that is not there.</summary>
    internal static LinuxException NoInterface(string name) => new(Abi.Errno.ENODEV, "ioctl(SIOCGIFINDEX)", name);

    private static string Format(int errno, string call, string? subject, string? remedy)
    {
        string what = subject is null ? call : $"{call} for {subject}";
        string message = $"{what} failed: {Abi.Errno.NameOf(errno)} ({Abi.Errno.TextOf(errno)}).";
        return remedy is null ? message : $"{message} Remedy: {remedy}.";
    }
}
