using Dataplane.Gateway.CommandLine;
using Dataplane.Gateway.Commands.Network;
using Dataplane.Gateway.Networks;

namespace Dataplane.Gateway.Tests.Networks;

/// <summary>What is said to options of the service that do not fit together.</summary>
public sealed class ServeOptionsTests
{
    private const string Etcd = "--etcd http://192.0.2.1:2379 ", Files = " --tls-certificate a.pem --tls-key a.key --tls-ca ca.pem";

    [Theory]
    [InlineData(Etcd + "--tls-link 192.0.2.11:4790", "--tls-link, --tls-certificate, --tls-key and --tls-ca belong together")]
    [InlineData(Etcd + "--tls-name {host}", "--tls-link, --tls-certificate, --tls-key and --tls-ca belong together")]
    [InlineData(Etcd + "--tls-link 192.0.2.11" + Files, "--tls-link \"192.0.2.11\": is not an address of this host with a port")]
    [InlineData(Etcd + "--tls-link [::]:4790" + Files, "--tls-link \"[::]:4790\": is not an address of this host with a port")]
    [InlineData(Etcd + "--tls-link host:4790" + Files, "--tls-link \"host:4790\": is not an address of this host with a port")]
    [InlineData(Etcd + "--tls-link 192.0.2.11:4790 --tls-name all.example.org" + Files, "--tls-name \"all.example.org\": has no {host} in it")]
    [InlineData("--tls-link 192.0.2.11:4790" + Files, "--tls-link without --etcd")]
    [InlineData(Etcd, "as --tunnel one of these, or --tls-link")]
    public async Task Serve_OptionsOfLinksThatDoNotFit_AreRefusedWithTheReason(string words, string reason)
    {
        var command = new NetworkServeCommand();
        Arguments arguments = ArgumentParser.Parse(command, words.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        UsageException refused = await Assert.ThrowsAsync<UsageException>(() => command.RunAsync(arguments, new Output(TextWriter.Null, TextWriter.Null)));
        Assert.Contains(reason, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void NameOf_AHost_StandsInThePattern()
    {
        var options = new LinkOptions(new System.Net.IPEndPoint(1, 1), "", "", "");
        Assert.Equal("a", options.NameOf("a"));
        Assert.Equal("spiffe://example.org/host/a", (options with { Name = "spiffe://example.org/host/{host}" }).NameOf("a"));
    }
}
