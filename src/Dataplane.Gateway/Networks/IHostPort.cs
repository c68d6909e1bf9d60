using System.Net;

namespace Dataplane.Gateway.Networks;

/// <summary>A port of the host that is bound for an endpoint; disposing of it frees the port and ends what goes through it.</summary>
internal interface IHostPort : IDisposable
{
    /// <summary>Where what comes goes on; null: the endpoint has no address of the family. What is under way stays where it is, as far as it can.</summary>
    IPEndPoint? Inside { get; set; }
}
