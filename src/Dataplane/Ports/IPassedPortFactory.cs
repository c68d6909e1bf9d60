using Dataplane.Native;

namespace Dataplane.Ports;

/// <summary>Makes ports of descriptors that another process has opened.</summary>
internal interface IPassedPortFactory
{
    /// <summary>Goes on with a queue; it is paused.</summary>
    /// <param name="descriptor">What <see cref="IPassedPort.PassedDescriptor"/> was there; it belongs to the port once this has returned.</param>
    /// <exception cref="IOException">It cannot be used.</exception>
    IPort Adopt(FileDescriptor descriptor);
}
