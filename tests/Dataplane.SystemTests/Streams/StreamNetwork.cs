using System.Globalization;
using Dataplane.Native.Tests;
using Dataplane.SystemTests.Support;
using Dataplane.Tests.Ports;

namespace Dataplane.SystemTests.Streams;

/// <summary>
/// West - gateway 1 - gateway 2 - east: each in a namespace of its own, and between the gateways a network of the kernel over which their stream goes.
/// The kernel has no address on the gateways' inner sides, so that what answers there is the engine.
/// </summary>
public sealed class StreamNetwork : IAsyncLifetime
{
    public const string West = "10.1.0.2", West6 = "2001:db8:1::2", East = "10.2.0.2", East6 = "2001:db8:2::2";
    private static int s_count;
    private readonly string _prefix = string.Create(CultureInfo.InvariantCulture, $"dpstream-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}-");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dpstream");
    private int _files;

    public StreamNetwork() => Certificates = new TestCertificates(_folder.FullName);

    internal TestCertificates Certificates { get; }

    internal string Folder => _folder.FullName;

    /// <summary>Name of a namespace: west, east, or gw1, gw2.</summary>
    internal string this[string name] => _prefix + name;

    internal string NewPath(string name) =>
        Path.Combine(Folder, string.Create(CultureInfo.InvariantCulture, $"{Interlocked.Increment(ref _files)}-{name}"));

    public async Task InitializeAsync()
    {
        if (Privileges.Missing is not null)
            return;
        await TestNetwork.IpAsync(null, string.Concat(new[] { "west", "gw1", "gw2", "east" }.Select(name => $"netns add {this[name]}\n")) + $"""
            link add e0 netns {this["west"]} type veth peer name lan netns {this["gw1"]}
            link add e0 netns {this["east"]} type veth peer name lan netns {this["gw2"]}
            link add under netns {this["gw1"]} type veth peer name under netns {this["gw2"]}

            """);
        await HostAsync("west", West, West6, "10.1.0.1", "2001:db8:1::1");
        await HostAsync("east", East, East6, "10.2.0.1", "2001:db8:2::1");
        foreach (int number in new[] { 1, 2 })
        {
            await TestNetwork.IpAsync(this[$"gw{number}"], $"""
                link set lo up
                link set lan addrgenmode none up
                link set under up
                addr add 192.0.2.{number}/24 dev under
                addr add 2001:db8:f::{number}/64 dev under nodad

                """);
        }
    }

    public async Task DisposeAsync()
    {
        if (Privileges.Missing is null)
            await TestNetwork.RemoveAsync(_prefix);
        Certificates.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>The file of a gateway: its own side, and the stream to the other's.</summary>
    /// <param name="number">1 or 2.</param>
    /// <param name="stream">Keys of the stream port beside its kind.</param>
    internal static string Gateway(int number, string stream)
    {
        int other = 3 - number;
        return string.Create(CultureInfo.InvariantCulture, $$"""
            ports:
              lan: { kind: af_packet, interface: lan }
              far: { kind: stream, {{stream}} }
            interfaces:
              - { port: lan, address: 10.{{number}}.0.1/24 }
              - { port: lan, address: "2001:db8:{{number}}::1/64" }
              - { port: far, address: 10.9.0.{{number}}/24 }
              - { port: far, address: "2001:db8:9::{{number}}/64" }
            routes:
              - { to: 10.{{other}}.0.0/24, via: 10.9.0.{{other}} }
              - { to: "2001:db8:{{other}}::/64", via: "2001:db8:9::{{other}}" }
            workers: { flow_entries: 65536 }

            """);
    }

    private Task<string> HostAsync(string name, string address, string address6, string gateway, string gateway6) => TestNetwork.IpAsync(this[name], $"""
        link set lo up
        link set e0 up
        addr add {address}/24 dev e0
        addr add {address6}/64 dev e0 nodad
        route add default via {gateway}
        route add ::/0 via {gateway6}

        """);
}
