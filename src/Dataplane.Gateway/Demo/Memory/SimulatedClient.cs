using System.Diagnostics;
using System.Text;
using Dataplane.Gateway.Demo.Traffic;
using Dataplane.Packets;
using Dataplane.Ports;
using static Dataplane.Gateway.Demo.DemoPlan;

namespace Dataplane.Gateway.Demo.Memory;

/// <summary>The client of the in-memory demo, on a thread of its own: HTTP requests over TCP of its own, and UDP messages, both families, at a rate.</summary>
internal sealed class SimulatedClient
{
    private const ushort FirstPort = 20_000, Ports = 40_000;
    private const int MessagesPerFlow = 16, UdpFlows = 64;

    private static readonly long s_timeout = Stopwatch.Frequency / 2;
    private static readonly byte[] s_request = "GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n"u8.ToArray();

    private readonly MemoryPort _wan;
    private readonly Dictionary<(IpAddress From, ushort Port, byte Protocol), Exchange> _open = [];
    private readonly Dictionary<string, long> _byBackend = [];
    private readonly Queue<((IpAddress From, ushort Port, byte Protocol) Key, long Started)> _deadlines = new();
    private readonly TrafficCounter _http = new(), _udp = new(), _guest = new();
    private readonly byte[] _frame = new byte[2048];
    private readonly MacAddress _mac = MacAddress.Parse(ClientMac), _gateway = MacAddress.Parse(WanMac);
    private readonly IpAddress _client = IpAddress.Parse(Client), _client6 = IpAddress.Parse(Client6), _guestAddress = IpAddress.Parse(Guest);
    private readonly IpAddress _service = IpAddress.Parse(Service), _service6 = IpAddress.Parse(Service6);
    private int _nextPort;

    public SimulatedClient(MemoryPort wan) => _wan = wan;

    /// <summary>The figures since the start. Any thread.</summary>
    public TrafficReport Report()
    {
        lock (_byBackend)
        {
            return new TrafficReport(_http.Read(), _udp.Read(), _guest.Read(), new Dictionary<string, long>(_byBackend));
        }
    }

    /// <summary>Sends and receives until cancelled.</summary>
    public void Run(int requestsPerSecond, CancellationToken ended)
    {
        long start = Stopwatch.GetTimestamp();
        for (long turn = 0; !ended.IsCancellationRequested;)
        {
            long due = (long)(Stopwatch.GetElapsedTime(start).TotalSeconds * requestsPerSecond);
            for (turn = Math.Max(turn, due - requestsPerSecond); turn < due; turn++)
            {
                Turn(turn);
            }

            GiveUpLate();
            if (_wan.WaitToReceive(TimeSpan.FromMilliseconds(1), CancellationToken.None))
            {
                using ReceivedFrames frames = _wan.ReceiveMany();
                for (int i = 0; i < frames.Count; i++)
                {
                    Receive(frames[i]);
                }
            }
        }
    }

    /// <summary>One request, two UDP messages, and every twelfth time one request of the guest.</summary>
    private void Turn(long turn)
    {
        bool v6 = turn % 2 == 1;
        Open(v6 ? _client6 : _client, NextPort(), FrameTemplate.Tcp, _http);
        for (int message = 0; message < 2; message++)
        {
            // Flows of some messages each: new ones show how new flows are balanced.
            long number = (turn * 2) + message;
            long flow = (number % UdpFlows) + (number / (UdpFlows * MessagesPerFlow) * UdpFlows);
            Open(flow % 2 == 1 ? _client6 : _client, (ushort)(FirstPort + (flow % Ports)), FrameTemplate.Udp, _udp);
        }

        if (turn % 12 == 0)
        {
            Open(_guestAddress, NextPort(), FrameTemplate.Tcp, _guest);
        }
    }

    private ushort NextPort() => (ushort)(FirstPort + (_nextPort++ % Ports));

    private void Open(IpAddress from, ushort port, byte protocol, TrafficCounter counter)
    {
        (IpAddress, ushort, byte) key = (from, port, protocol);
        if (!_open.TryAdd(key, new Exchange(Stopwatch.GetTimestamp(), counter)))
        {
            return;
        }

        _deadlines.Enqueue((key, _open[key].Started));
        var segment = new Segment
        {
            Source = from,
            Destination = from.IsIpv4 ? _service : _service6,
            SourcePort = port,
            DestinationPort = protocol == FrameTemplate.Tcp ? (ushort)WebPort : (ushort)EchoPort,
            Protocol = protocol,
            Sequence = 1,
            Flags = FrameTemplate.Syn,
        };
        Send(in segment, protocol == FrameTemplate.Tcp ? default : s_request);
    }

    private void Receive(ReadOnlySpan<byte> frame)
    {
        if (!FrameTemplate.TryRead(frame, out Segment segment, out ReadOnlySpan<byte> payload))
        {
            return;
        }

        (IpAddress, ushort, byte) key = (segment.Destination, segment.DestinationPort, segment.Protocol);
        if (!_open.TryGetValue(key, out Exchange exchange))
        {
            return;
        }

        if (segment.Protocol == FrameTemplate.Udp)
        {
            _open.Remove(key);
            exchange.Counter.CountOk(exchange.Started);
        }
        else if ((segment.Flags & FrameTemplate.Rst) != 0)
        {
            _open.Remove(key);
            exchange.Counter.CountFailed();
        }
        else if ((segment.Flags & FrameTemplate.Syn) != 0)
        {
            Send(segment.Answer(segment.Acknowledged, 1, FrameTemplate.Psh | FrameTemplate.Ack), s_request);
        }
        else if (payload.Length > 0)
        {
            _open.Remove(key);
            exchange.Counter.CountOk(exchange.Started);
            if (exchange.Counter == _http)
            {
                CountBackend(payload);
            }

            Send(segment.Answer(segment.Acknowledged, (uint)payload.Length + 1, FrameTemplate.Fin | FrameTemplate.Ack), default);
        }
    }

    private void CountBackend(ReadOnlySpan<byte> answer)
    {
        ReadOnlySpan<byte> header = "X-Backend: "u8;
        ReadOnlySpan<byte> name = answer[(answer.IndexOf(header) + header.Length)..];
        string backend = Encoding.ASCII.GetString(name[..name.IndexOf((byte)'\r')]);
        lock (_byBackend)
        {
            _byBackend[backend] = _byBackend.GetValueOrDefault(backend) + 1;
        }
    }

    private void GiveUpLate()
    {
        long now = Stopwatch.GetTimestamp();
        while (_deadlines.TryPeek(out var first) && now - first.Started > s_timeout)
        {
            _deadlines.Dequeue();
            if (_open.TryGetValue(first.Key, out Exchange exchange) && exchange.Started == first.Started)
            {
                _open.Remove(first.Key);
                exchange.Counter.CountFailed();
            }
        }
    }

    private void Send(in Segment segment, ReadOnlySpan<byte> payload)
    {
        int length = FrameTemplate.Write(_frame, _mac, _gateway, in segment, payload);
        _wan.TrySend(_frame.AsSpan(0, length));
    }

    private readonly record struct Exchange(long Started, TrafficCounter Counter);
}
