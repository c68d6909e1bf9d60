using Dataplane.Native;

namespace Dataplane.Networks;

/// <summary>Does things inside network namespaces.</summary>
public static class NamespaceWork
{
    /// <summary>Runs a piece of work on a thread of its own in a namespace. Sockets that it makes stay in the namespace, whatever thread uses them later.</summary>
    /// <param name="networkNamespace">Null for the current one; a name as in <c>ip netns list</c>; or a path.</param>
    /// <param name="work">What to do there; it must not wait for work of other threads.</param>
    /// <returns>What the work returned; what it throws is thrown here.</returns>
    /// <exception cref="IOException">The namespace cannot be entered.</exception>
    public static T Run<T>(string? networkNamespace, Func<T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        return NamespaceThread.Run(networkNamespace, work);
    }
}
