using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Dataplane.SystemTests.Ports;

/// <summary>A flow of numbered datagrams, each of which the server sends back.</summary>
internal sealed class FastPathConversation : IDisposable
{
    private readonly FastPathBed _bed;
    private readonly Socket _client;
    private readonly Socket _server;
    private readonly IPEndPoint _target;
    private readonly byte[] _buffer = new byte[8192];
    private EndPoint _seen;

    public FastPathConversation(FastPathBed bed, int version)
    {
        _bed = bed;
        _client = FastPathBed.Udp(bed.Client, version, 20_000);
        _server = FastPathBed.Udp(bed.Server, version, FastPathBed.Port);
        _target = new IPEndPoint(IPAddress.Parse(FastPathBed.Target(version)), FastPathBed.Port);
        _seen = FastPathBed.Anyone(version);
    }

    public int Sent { get; private set; }

    public IPEndPoint SeenByServer => (IPEndPoint)_seen;

    /// <summary>Sends one after the other until the programs forward both ways.</summary>
    public void AwaitFast() => _bed.AwaitFast(() => Exchange(bytes: 64));

    /// <summary>One there and back.</summary>
    public void Exchange(int bytes)
    {
        _client.SendTo(_buffer.AsSpan(0, bytes), _target);
        Sent++;
        Assert.Equal(bytes, _server.ReceiveFrom(_buffer, ref _seen));
        _server.SendTo(_buffer.AsSpan(0, bytes), _seen);
        Assert.Equal(bytes, _client.Receive(_buffer));
    }

    /// <summary>Many on their way at once; all must come, in order, there and back.</summary>
    public void Burst(int packets, int window)
    {
        // The flow is known both ways, and its neighbours are.
        Exchange(bytes: 64);
        byte[] message = new byte[64];
        for (int first = 0; first < packets; first += window)
        {
            for (int i = first; i < Math.Min(packets, first + window); i++)
            {
                BinaryPrimitives.WriteInt32LittleEndian(message, i);
                _client.SendTo(message, _target);
                Sent++;
            }

            for (int i = first; i < Math.Min(packets, first + window); i++)
            {
                Assert.Equal(message.Length, _server.ReceiveFrom(_buffer, ref _seen));
                Assert.Equal(i, BinaryPrimitives.ReadInt32LittleEndian(_buffer));
                _server.SendTo(_buffer.AsSpan(0, message.Length), _seen);
            }

            for (int i = first; i < Math.Min(packets, first + window); i++)
            {
                Assert.Equal(message.Length, _client.Receive(_buffer));
                Assert.Equal(i, BinaryPrimitives.ReadInt32LittleEndian(_buffer));
            }
        }
    }

    public void SendDenied(int packets)
    {
        for (int i = 0; i < packets; i++)
            _client.SendTo(_buffer.AsSpan(0, 64), _target);
    }

    public void SendWithTtl(short ttl)
    {
        short before = _client.Ttl;
        _client.Ttl = ttl;
        SendDenied(1);
        _client.Ttl = before;
    }

    public void Dispose()
    {
        _client.Dispose();
        _server.Dispose();
    }
}
