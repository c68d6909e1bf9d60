// syscalls: setns
using System.Runtime.ExceptionServices;
using Dataplane.Native.Abi;

namespace Dataplane.Native;

/// <summary>Runs a piece of work in another network namespace.</summary>
/// <remarks>A thread that has changed its namespace must never go back to the pool, so each piece of work gets a thread that ends with it.</remarks>
internal static class NamespaceThread
{
    /// <summary>Runs <paramref name="work"/> and returns what it returns; what it opens stays in the namespace.</summary>
    /// <param name="networkNamespace">Null for the current one; a name as in <c>ip netns list</c>; or a path such as <c>/proc/PID/ns/net</c>.</param>
    /// <param name="work">What to do there.</param>
    /// <exception cref="LinuxException">There is no such namespace, or it may not be entered.</exception>
    internal static T Run<T>(string? networkNamespace, Func<T> work)
    {
        if (networkNamespace is null)
            return work();

        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                Enter(networkNamespace);
                result = work();
            }
            catch (Exception error)
            {
                // Carried over to the caller, with the stack of the place where it happened.
                failure = ExceptionDispatchInfo.Capture(error);
            }
        })
        { Name = "netns " + networkNamespace };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }

    private static void Enter(string networkNamespace)
    {
        using FileDescriptor descriptor = NamespaceFile.Open(networkNamespace);
        if (Libc.Setns(descriptor.Number, Interface.CLONE_NEWNET) != 0)
            throw LinuxException.FromLastError("setns(CLONE_NEWNET)", $"network namespace {networkNamespace}");
    }
}
