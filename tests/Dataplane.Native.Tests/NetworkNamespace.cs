using System.Diagnostics;

namespace Dataplane.Native.Tests;

/// <summary>A network namespace that lives as long as a test; its interfaces go with it.</summary>
internal sealed class NetworkNamespace : IDisposable
{
    private static int s_count;

    private NetworkNamespace(string name) => Name = name;

    public string Name { get; }

    public static NetworkNamespace Create(string role)
    {
        string name = $"dpnative-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}-{role}";
        Ip("netns", "add", name);
        var created = new NetworkNamespace(name);
        created.Link("set", "lo", "up");
        return created;
    }

    /// <summary>Joins two namespaces by a veth pair without IPv6 addresses of its own, so that nobody speaks unasked.</summary>
    public static void Connect(NetworkNamespace first, string firstName, NetworkNamespace second, string secondName)
    {
        Ip("link", "add", firstName, "netns", first.Name, "type", "veth", "peer", "name", secondName, "netns", second.Name);
        first.BringUp(firstName);
        second.BringUp(secondName);
    }

    public void Link(params string[] arguments) => Ip(["-n", Name, "link", .. arguments]);

    public void Address(string interfaceName, string address) => Ip("-n", Name, "addr", "add", address, "dev", interfaceName, "nodad");

    public string Execute(string program, params string[] arguments) => Run("ip", ["netns", "exec", Name, program, .. arguments]);

    public void Dispose() => Ip("netns", "del", Name);

    private static void Ip(params string[] arguments) => Run("ip", arguments);

    private static string Run(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {error}");
        return output.GetAwaiter().GetResult();
    }

    private void BringUp(string interfaceName)
    {
        Link("set", interfaceName, "addrgenmode", "none");
        Link("set", interfaceName, "up");
    }
}
