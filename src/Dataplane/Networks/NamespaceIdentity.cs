using System.Globalization;
using Dataplane.Native;

namespace Dataplane.Networks;

/// <summary>Which network namespace a path leads to: the same path may lead to another later, or to none.</summary>
public static class NamespaceIdentity
{
    private const string Named = "/var/run/netns/";

    /// <summary>The kernel's word for the namespace, such as <c>net:[4026532281]</c>; not used again while the namespace lives.</summary>
    /// <param name="networkNamespace">A name as in <c>ip netns list</c>, or a path such as <c>/proc/PID/ns/net</c>.</param>
    /// <returns>Null when there is no namespace.</returns>
    public static string? TryRead(string networkNamespace)
    {
        ArgumentException.ThrowIfNullOrEmpty(networkNamespace);
        string path = networkNamespace.Contains('/', StringComparison.Ordinal) ? networkNamespace : Named + networkNamespace;
        ulong number = NamespaceFile.TryIdentify(path);
        return number == 0 ? null : string.Create(CultureInfo.InvariantCulture, $"net:[{number}]");
    }
}
