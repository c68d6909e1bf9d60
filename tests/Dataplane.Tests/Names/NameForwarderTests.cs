using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Dataplane.Names;
using Dataplane.Packets;
using Dataplane.Ports;
using Dataplane.Routing;

namespace Dataplane.Tests.Names;

/// <summary>What is asked upstream, by a server of the test: how often, and for whom.</summary>
public sealed class NameForwarderTests : IAsyncDisposable
{
    private static readonly IpAddress s_own = IpAddress.Parse("198.51.100.1");

    private static readonly IpAddress s_own6 = IpAddress.Parse("2001:db8::1");

    private readonly UdpClient _upstream = new(new IPEndPoint(IPAddress.Loopback, 0));
    private readonly ConcurrentQueue<string> _asked = new();
    private readonly TaskCompletionSource _mayAnswer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _patience = new(TimeSpan.FromSeconds(60));
    private readonly NameServers _servers;
    private readonly NameForwarder _forwarder;
    private readonly Task _answering;

    public NameForwarderTests()
    {
        _servers = NameServers.Compile([new NameServerSpec { Name = "net", Addresses = [s_own, s_own6], Upstreams = [(IPEndPoint)_upstream.Client.LocalEndPoint!] }], null);
        _forwarder = new NameForwarder(() => _servers, TimeProvider.System);
        _answering = AnswerAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _forwarder.DisposeAsync();
        _upstream.Dispose();
        await _answering;
        _patience.Dispose();
    }

    /// <summary>Names that begin with "silent" are never answered, all others with no records once the test lets it.</summary>
    private async Task AnswerAsync()
    {
        try
        {
            while (true)
            {
                UdpReceiveResult query = await _upstream.ReceiveAsync();
                string name = System.Text.Encoding.ASCII.GetString(query.Buffer, 13, query.Buffer[12]);
                _asked.Enqueue(name);
                if (!name.StartsWith("silent", StringComparison.Ordinal))
                {
                    await _mayAnswer.Task;
                    query.Buffer[2] |= 0x80;
                    await _upstream.SendAsync(query.Buffer, query.RemoteEndPoint);
                }
            }
        }
        catch (Exception ended) when (ended is SocketException or ObjectDisposedException)
        {
            // The test ends.
        }
    }

    private static byte[] Query(string name, ushort id)
    {
        byte[] query = PlainDns.Query(name, 1);
        (query[0], query[1]) = ((byte)(id >> 8), (byte)id);
        return query;
    }

    [Fact]
    public async Task Resolve_TheSameQuestionManyTimes_IsAskedOnceAndAnsweredToEach()
    {
        NameServer server = _servers.Servers[0];
        Task<byte[]?>[] all = [.. Enumerable.Range(1, 200).Select(id => _forwarder.ResolveAsync(server, Query("www.example.org", (ushort)id)))];
        Task<byte[]?> other = _forwarder.ResolveAsync(server, Query("WWW.example.org", 999));
        _mayAnswer.SetResult();
        byte[]?[] responses = await Task.WhenAll(all).WaitAsync(_patience.Token);
        Assert.Equal(Enumerable.Range(1, 200), responses.Select(response => (response![0] << 8) | response[1]));

        // Who asks in other letters gets those letters back (0x20), and is a question of its own.
        Assert.Equal("WWW", System.Text.Encoding.ASCII.GetString((await other.WaitAsync(_patience.Token))!, 13, 3));
        Assert.Equal(["WWW", "www"], _asked.Order(StringComparer.Ordinal));
    }

    /// <summary>RFC 5452 9.1: what does not repeat the identifier was made up by somebody who has not seen the question.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Ask_AnswersWithAnotherIdentifierFirst_AreNotTaken(int wrongByte)
    {
        using var liar = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        byte[] query = Query("www.example.org", 0x1234);
        Task<byte[]?> asking = UpstreamExchange.AskAsync((IPEndPoint)liar.Client.LocalEndPoint!, query, query.Length - 12, _patience.Token);
        UdpReceiveResult asked = await liar.ReceiveAsync(_patience.Token);
        byte[] forged = [.. asked.Buffer], right = [.. asked.Buffer];
        forged[wrongByte] ^= 1;
        (forged[2], forged[3], right[2], right[3]) = (0x81, 0x83, 0x81, 0x80);
        await liar.SendAsync(forged, asked.RemoteEndPoint, _patience.Token);
        await liar.SendAsync(right, asked.RemoteEndPoint, _patience.Token);
        byte[]? response = await asking;
        Assert.Equal(Convert.ToHexString([0x12, 0x34, 0x81, 0x80]), Convert.ToHexString(response.AsSpan(0, 4)));
    }

    [Theory]
    [InlineData(4)]
    [InlineData(6)]
    public async Task Attach_OneSourceAsksWhatNobodyAnswers_OthersAreAnswered(int family)
    {
        _mayAnswer.SetResult();
        NameForwards forwards = _forwarder.Attach(new Waker());
        var via = new L3Interface
        {
            Index = 0,
            Port = 1,
            PortName = "lan",
            Vlan = 0,
            Mac = default,
            Mtu = 1500,
            Addresses = [],
            V4 = s_own,
            V6 = default,
            LinkLocal = default,
            Answered = [],
        };
        for (int i = 0; i < 2000; i++)
        {
            FlowKey bad = family == 4 ? Key("192.0.2.66", (ushort)(1000 + i)) : FlowKey.Create(IpAddress.FromV6(0x2001_0DB8_0000_0066, (ulong)i), (ushort)(1000 + i), s_own6, 53, 17);
            while (!forwards.TryAsk(in bad, via, Query($"silent{i}.example.org", (ushort)i)))
            {
                await Task.Delay(1, _patience.Token);
            }
        }

        FlowKey good = Key("192.0.2.7", 4000);
        Assert.True(forwards.TryAsk(in good, via, Query("www.example.org", 7)));
        while (!_asked.Contains("www"))
        {
            await Task.Delay(5, _patience.Token);
        }

        Assert.InRange(_asked.Count(name => name.StartsWith("silent", StringComparison.Ordinal)), 1, 1023);
    }

    private static FlowKey Key(string source, ushort port) => new()
    {
        SourceLow = IpAddress.Parse(source).Low,
        DestinationLow = s_own.Low,
        Transport = ((ulong)port << 48) | (53UL << 32) | (17 << 8) | 4,
    };

    private sealed class Waker : IPortWaker
    {
        public void Wake()
        {
        }
    }
}
