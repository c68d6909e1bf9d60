using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Dataplane.SystemTests.Support;

/// <summary>
/// The network of the tests: a client, the gateway, a switch behind it and three backends, each in a network namespace of its own. The kernel
/// has no address in the gateway's, so that whatever answers there is the engine. Offloads stay as the kernel sets them.
/// </summary>
internal sealed class TestNetwork
{
    public const int Backends = 3;
    public const string ClientAddress = "198.51.100.100";
    public const string GuestAddress = "198.51.100.101";
    public const string ClientAddress6 = "2001:db8:1::100";
    public const string GuestAddress6 = "2001:db8:1::101";
    public const string GatewayOnWan = "198.51.100.2";
    public const string GatewayOnWan6 = "2001:db8:1::2";
    public const string GatewayOnLan = "10.1.0.1";
    public const string GatewayOnLan6 = "2001:db8:2::1";
    public const string WanMac = "02:00:00:00:01:01";
    public const string LanMac = "02:00:00:00:02:01";
    public const string ClientMac = "02:00:00:00:01:64";
    private const string Prefix = "dpsys-";

    private static int s_count;
    private readonly string _prefix = string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}-");

    public string Client => _prefix + "client";

    public string Gateway => _prefix + "gateway";

    private string Switch => _prefix + "switch";

    private IEnumerable<string> Names => [Client, Gateway, Switch, .. Enumerable.Range(0, Backends).Select(Backend)];

    public static string BackendName(int backend) => string.Create(CultureInfo.InvariantCulture, $"b{backend}");

    public static string Address(int backend) => string.Create(CultureInfo.InvariantCulture, $"10.1.0.{11 + backend}");

    public static string Address6(int backend) => string.Create(CultureInfo.InvariantCulture, $"2001:db8:2::{11 + backend}");

    public string Backend(int backend) => _prefix + BackendName(backend);

    public async Task CreateAsync()
    {
        await RemoveLeftoversAsync();
        var links = new StringBuilder();
        foreach (string name in Names)
            links.Append(CultureInfo.InvariantCulture, $"netns add {name}\n");
        links.Append(CultureInfo.InvariantCulture, $"link add c0 netns {Client} address {ClientMac} type veth peer name wan netns {Gateway} address {WanMac}\n");
        links.Append(CultureInfo.InvariantCulture, $"link add lan netns {Gateway} address {LanMac} type veth peer name uplink netns {Switch}\n");
        for (int backend = 0; backend < Backends; backend++)
            links.Append(CultureInfo.InvariantCulture, $"link add e0 netns {Backend(backend)} type veth peer name {BackendName(backend)} netns {Switch}\n");
        await IpAsync(null, links.ToString());
        await IpAsync(Gateway, "link set lo up\nlink set wan addrgenmode none up\nlink set lan addrgenmode none up\n");
        await ChildProgram.RunAsync(Gateway, ["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv4.ip_forward=0"]);
        await IpAsync(Switch, "link add br0 type bridge mcast_snooping 0\nlink set br0 addrgenmode none up\n"
            + string.Concat(Enumerable.Range(0, Backends).Select(BackendName).Prepend("uplink").Select(port => $"link set {port} addrgenmode none master br0 up\n")));
        await HostAsync(Client, "c0", [$"{ClientAddress}/24", $"{GuestAddress}/24", $"{ClientAddress6}/64", $"{GuestAddress6}/64"], GatewayOnWan, GatewayOnWan6);
        for (int backend = 0; backend < Backends; backend++)
            await HostAsync(Backend(backend), "e0", [$"{Address(backend)}/24", $"{Address6(backend)}/64"], GatewayOnLan, GatewayOnLan6);
    }

    /// <summary>Gives all links another MTU.</summary>
    public async Task SetMtuAsync(int mtu)
    {
        foreach (string name in Names)
        {
            string[] devices = name == Client ? ["c0"] : name == Gateway ? ["wan", "lan"] : name == Switch ? ["uplink", .. Enumerable.Range(0, Backends).Select(BackendName), "br0"] : ["e0"];
            await IpAsync(name, string.Concat(devices.Select(device => string.Create(CultureInfo.InvariantCulture, $"link set {device} mtu {mtu}\n"))));
        }
    }

    public Task RemoveAsync() => RemoveAsync(_prefix);

    private static async Task RemoveLeftoversAsync()
    {
        foreach (string name in await ListAsync())
        {
            if (name.StartsWith(Prefix, StringComparison.Ordinal) && !Directory.Exists($"/proc/{name.Split('-')[1]}"))
                await RemoveAsync(name);
        }
    }

    private static Task<string> HostAsync(string name, string device, string[] addresses, string gateway, string gateway6) => IpAsync(name,
        $"link set lo up\nlink set {device} up\n"
        + string.Concat(addresses.Select(address => $"addr add {address} dev {device}{(address.Contains(':', StringComparison.Ordinal) ? " nodad" : "")}\n"))
        + $"route add default via {gateway}\nroute add ::/0 via {gateway6}\n");

    private static async Task<string[]> ListAsync() =>
        [.. (await RunIpAsync(["netns", "list"], "")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[0])];

    internal static async Task RemoveAsync(string prefix)
    {
        foreach (string name in (await ListAsync()).Where(name => name.StartsWith(prefix, StringComparison.Ordinal)))
        {
            string[] ids = (await RunIpAsync(["netns", "pids", name], "")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            if (ids.Length > 0)
            {
                using Process kill = Process.Start("kill", ["-KILL", .. ids]);
                await kill.WaitForExitAsync();
            }

            await RunIpAsync(["netns", "del", name], "");
        }
    }

    internal static Task<string> IpAsync(string? name, string commands) => RunIpAsync(name is null ? ["-batch", "-"] : ["-netns", name, "-batch", "-"], commands);

    private static async Task<string> RunIpAsync(string[] arguments, string input)
    {
        var start = new ProcessStartInfo(Programs.Find("ip")!, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"ip {string.Join(' ', arguments)}: {await error}\n{input}");
    }
}
