using System.Text;
using Dataplane.Packets;
using Dataplane.Ports;
using static Dataplane.Gateway.Demo.DemoPlan;

namespace Dataplane.Gateway.Demo.Memory;

/// <summary>All backends of the in-memory demo, on a thread of their own: a web server and a UDP echo each, without connection state.</summary>
/// <remarks>Whatever comes is answered from the packet alone: SYN by SYN-ACK, a request by the answer and FIN, FIN by ACK.</remarks>
internal sealed class SimulatedBackends
{
    private const uint FirstSequence = 1_000_000;

    private readonly MemoryPort _lan;
    private readonly bool[] _isAlive = new bool[AllBackends];
    private readonly byte[][] _answers = new byte[AllBackends][];
    private readonly MacAddress[] _macs = new MacAddress[AllBackends];
    private readonly Dictionary<IpAddress, int> _byAddress = [];
    private readonly byte[] _frame = new byte[2048];

    public SimulatedBackends(MemoryPort lan)
    {
        _lan = lan;
        for (int backend = 0; backend < AllBackends; backend++)
        {
            string name = Name(backend);
            _answers[backend] = Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nX-Backend: {name}\r\nContent-Length: {name.Length + 1}\r\nConnection: close\r\n\r\n{name}\n");
            _macs[backend] = MacAddress.Parse(Mac(backend));
            _byAddress[IpAddress.Parse(Address(backend))] = backend;
            _byAddress[IpAddress.Parse(Address6(backend))] = backend;
        }
    }

    public void SetAlive(int backend, bool isAlive) => Volatile.Write(ref _isAlive[backend], isAlive);

    /// <summary>Answers packets until cancelled.</summary>
    public void Run(CancellationToken ended)
    {
        while (!ended.IsCancellationRequested)
        {
            if (!_lan.WaitToReceive(TimeSpan.FromMilliseconds(50), CancellationToken.None))
            {
                continue;
            }

            using ReceivedFrames frames = _lan.ReceiveMany();
            for (int i = 0; i < frames.Count; i++)
            {
                Answer(frames[i]);
            }
        }
    }

    private void Answer(ReadOnlySpan<byte> frame)
    {
        if (!FrameTemplate.TryRead(frame, out Segment segment, out ReadOnlySpan<byte> payload) || !_byAddress.TryGetValue(segment.Destination, out int backend))
        {
            return;
        }

        bool isAlive = Volatile.Read(ref _isAlive[backend]);
        if (segment.Protocol == FrameTemplate.Udp)
        {
            if (isAlive)
            {
                Send(backend, frame, segment.Answer(0, 0, 0), payload);
            }

            return;
        }

        byte flags = segment.Flags;
        if ((flags & FrameTemplate.Rst) != 0)
        {
            return;
        }

        // The kernel of a host whose server has died refuses what is sent to it.
        if (!isAlive)
        {
            Send(backend, frame, segment.Answer(0, 1, FrameTemplate.Rst | FrameTemplate.Ack), default);
        }
        else if ((flags & FrameTemplate.Syn) != 0)
        {
            Send(backend, frame, segment.Answer(FirstSequence, 1, FrameTemplate.Syn | FrameTemplate.Ack), default);
        }
        else if (payload.Length > 0)
        {
            Send(backend, frame, segment.Answer(segment.Acknowledged, (uint)payload.Length, FrameTemplate.Psh | FrameTemplate.Fin | FrameTemplate.Ack), _answers[backend]);
        }
        else if ((flags & FrameTemplate.Fin) != 0)
        {
            Send(backend, frame, segment.Answer(segment.Acknowledged, 1, FrameTemplate.Ack), default);
        }
    }

    private void Send(int backend, ReadOnlySpan<byte> received, in Segment answer, ReadOnlySpan<byte> payload)
    {
        int length = FrameTemplate.Write(_frame, _macs[backend], MacAddress.Read(received[6..]), in answer, payload);
        _lan.TrySend(_frame.AsSpan(0, length));
    }
}
