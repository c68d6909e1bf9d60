using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Networks;
using Dataplane.Packets;

namespace Dataplane.Gateway.Commands.Network;

/// <summary>What the commands about networks have in common.</summary>
internal static class NetworkOptions
{
    public static readonly Option Socket = new("--socket", "PATH", $"control socket of the network service; {ServeOptions.DefaultSocket} by default");
    public static readonly Option Json = new("--json", "", "print JSON");

    public static string SocketOf(Arguments arguments) => arguments.Get(Socket) ?? ServeOptions.DefaultSocket;

    public static IpPrefix Prefix(Option option, string text) =>
        IpPrefix.TryParse(text, out IpPrefix prefix) ? prefix : throw new UsageException($"{option.Name} \"{text}\": is not an address with a length, such as 192.0.2.50/24.");

    public static IpAddress Address(Option option, string text) =>
        IpAddress.TryParse(text, out IpAddress address) ? address : throw new UsageException($"{option.Name} \"{text}\": is not an address.");

    /// <summary>Reads <c>[HOST:]PORT[-END]:PORT[-END][/PROTOCOL]</c>, as Docker and compose write it.</summary>
    /// <exception cref="UsageException">It is not that.</exception>
    public static PublishedPort Publish(string text)
    {
        try
        {
            return PortText.Parse(text);
        }
        catch (FormatException wrong)
        {
            throw new UsageException($"--publish {wrong.Message}");
        }
    }
}
