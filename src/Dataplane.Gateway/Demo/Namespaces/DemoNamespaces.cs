using System.Diagnostics;
using System.Globalization;
using System.Text;
using static Dataplane.Gateway.Demo.DemoPlan;

namespace Dataplane.Gateway.Demo.Namespaces;

/// <summary>The demo's network: a client, the gateway, a switch behind it and the backends, each in a network namespace of its own.</summary>
internal sealed class DemoNamespaces
{
    private const string Prefix = "dataplane-demo-";

    private readonly string _prefix = string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Environment.ProcessId}-");

    public string ClientName => _prefix + "client";

    public string GatewayName => _prefix + "gateway";

    public string BackendName(int backend) => _prefix + Name(backend);

    private string SwitchName => _prefix + "switch";

    private IEnumerable<string> Names => [ClientName, GatewayName, SwitchName, .. Enumerable.Range(0, AllBackends).Select(BackendName)];

    /// <summary>Makes all namespaces, links and addresses, the fourth backend's too.</summary>
    /// <exception cref="IOException">The kernel or <c>ip</c> refused.</exception>
    public async Task CreateAsync()
    {
        var links = new StringBuilder();
        foreach (string name in Names)
        {
            links.Append(CultureInfo.InvariantCulture, $"netns add {name}\n");
        }

        links.Append(CultureInfo.InvariantCulture, $"link add eth0 netns {ClientName} address {ClientMac} type veth peer name {Wan} netns {GatewayName} address {WanMac}\n");
        links.Append(CultureInfo.InvariantCulture, $"link add {Lan} netns {GatewayName} address {LanMac} type veth peer name uplink netns {SwitchName}\n");
        for (int backend = 0; backend < AllBackends; backend++)
        {
            links.Append(CultureInfo.InvariantCulture,
                $"link add eth0 netns {BackendName(backend)} address {Mac(backend)} type veth peer name {Name(backend)} netns {SwitchName}\n");
        }

        await IpCommand.BatchAsync(null, links.ToString()).ConfigureAwait(false);
        await Task.WhenAll(
        [
            ConfigureGatewayAsync(),
            ConfigureSwitchAsync(),
            ConfigureHostAsync(ClientName, [$"{Client}/24", $"{Guest}/24", $"{Client6}/64"], GatewayOnWan, GatewayOnWan6),
            .. Enumerable.Range(0, AllBackends).Select(backend =>
                ConfigureHostAsync(BackendName(backend), [$"{Address(backend)}/24", $"{Address6(backend)}/64"], GatewayOnLan, GatewayOnLan6)),
        ]).ConfigureAwait(false);
    }

    /// <summary>Removes the namespaces, and with them their links. Does not fail.</summary>
    public Task RemoveAsync() => RemoveAsync(_prefix);

    /// <summary>Removes what demos left behind that were killed, and the processes that still run in there.</summary>
    public static async Task RemoveLeftoversAsync()
    {
        IEnumerable<string> prefixes = (await ListAsync().ConfigureAwait(false)).Select(PrefixOf).OfType<string>().Distinct();
        foreach (string prefix in prefixes)
        {
            if (!IsAlive(prefix))
            {
                await RemoveAsync(prefix).ConfigureAwait(false);
            }
        }
    }

    /// <summary>The gateway's interfaces have no addresses and no kernel of their own behind them: everything is the engine's.</summary>
    private Task ConfigureGatewayAsync() => IpCommand.BatchAsync(GatewayName, $"""
        link set lo up
        link set {Wan} addrgenmode none up
        link set {Lan} addrgenmode none up

        """);

    private Task ConfigureSwitchAsync()
    {
        var commands = new StringBuilder("link add br0 type bridge mcast_snooping 0\nlink set br0 addrgenmode none up\n");
        foreach (string port in Enumerable.Range(0, AllBackends).Select(Name).Prepend("uplink"))
        {
            commands.Append(CultureInfo.InvariantCulture, $"link set {port} addrgenmode none master br0 up\n");
        }

        return IpCommand.BatchAsync(SwitchName, commands.ToString());
    }

    private static Task ConfigureHostAsync(string name, string[] addresses, string gateway, string gateway6)
    {
        var commands = new StringBuilder("link set lo up\nlink set eth0 up\n");
        foreach (string address in addresses)
        {
            // Without duplicate address detection, which would take a second.
            commands.Append(CultureInfo.InvariantCulture, $"addr add {address} dev eth0{(address.Contains(':', StringComparison.Ordinal) ? " nodad" : "")}\n");
        }

        commands.Append(CultureInfo.InvariantCulture, $"route add default via {gateway}\nroute add ::/0 via {gateway6}\n");
        return IpCommand.BatchAsync(name, commands.ToString());
    }

    private static async Task<string[]> ListAsync()
    {
        string list = await IpCommand.RunAsync(["netns", "list"]).ConfigureAwait(false);
        return [.. list.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[0])];
    }

    private static string? PrefixOf(string name)
    {
        int dash = name.StartsWith(Prefix, StringComparison.Ordinal) ? name.IndexOf('-', Prefix.Length) : -1;
        return dash > 0 ? name[..(dash + 1)] : null;
    }

    /// <summary>Whether the demo that made the namespaces still runs, and is not another process that was given its number.</summary>
    private static bool IsAlive(string prefix)
    {
        if (!int.TryParse(prefix.AsSpan(Prefix.Length, prefix.Length - Prefix.Length - 1), out int id))
        {
            return false;
        }

        try
        {
            return File.ReadAllText($"/proc/{id}/cmdline").Split('\0').Contains("demo");
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static async Task RemoveAsync(string prefix)
    {
        string[] names = [.. (await ListAsync().ConfigureAwait(false)).Where(name => name.StartsWith(prefix, StringComparison.Ordinal))];
        foreach (string name in names)
        {
            try
            {
                await EndProcessesAsync(name).ConfigureAwait(false);
                await IpCommand.RunAsync(["netns", "delete", name]).ConfigureAwait(false);
            }
            catch (IOException)
            {
                // Somebody else removes it at the same time.
            }
        }
    }

    private static async Task EndProcessesAsync(string name)
    {
        foreach (string id in (await IpCommand.RunAsync(["netns", "pids", name]).ConfigureAwait(false)).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            try
            {
                using Process process = Process.GetProcessById(int.Parse(id, CultureInfo.InvariantCulture));
                process.Kill();
            }
            catch (Exception gone) when (gone is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
            {
                // It has ended by itself.
            }
        }
    }
}
