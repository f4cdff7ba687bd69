/* SPDX-License-Identifier: Apache-2.0 */
/* fast_peer.cpp - a program of another maker's DDS: eProsima Fast DDS, with types that fastddsgen
 * made of ROS 2's definitions.
 *
 * Usage: fast_peer DOMAIN FROM TO
 *
 * Takes clouds from topic FROM, each of which must be content.h's, every field and byte, and writes
 * them to topic TO. Prints "ready", goes on until it is killed; the first wrong one ends it. */
#include <sensor_msgsPubSubTypes.h>

#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/Publisher.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include <fastdds/dds/topic/Topic.hpp>
#include <fastdds/rtps/transport/UDPv4TransportDescriptor.h>
#include <fastrtps/utils/IPLocator.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

using namespace eprosima::fastdds::dds;
using Cloud = sensor_msgs::msg::dds_::PointCloud2_;
using Field = sensor_msgs::msg::dds_::PointField_;

namespace
{
constexpr int peers = 10; /* participants that side.c's configuration lets a machine have */
constexpr int own_index = 5;

/* RTPS's rule for the port by which a participant is found. */
uint32_t discovery_port(uint32_t domain, int index)
{
    return 7400 + 250 * domain + 10 + 2 * static_cast<uint32_t>(index);
}

/* By UDP, on the loopback interface. */
DomainParticipant *join(uint32_t domain)
{
    DomainParticipantQos qos;
    auto udp = std::make_shared<eprosima::fastdds::rtps::UDPv4TransportDescriptor>();
    udp->interfaceWhiteList.push_back("127.0.0.1");
    qos.transport().use_builtin_transports = false;
    qos.transport().user_transports.push_back(udp);
    qos.wire_protocol().participant_id = own_index;
    for (int i = 0; i < peers; i++) {
        eprosima::fastrtps::rtps::Locator_t peer;
        eprosima::fastrtps::rtps::IPLocator::setIPv4(peer, "127.0.0.1");
        peer.port = discovery_port(domain, i);
        qos.wire_protocol().builtin.initialPeersList.push_back(peer);
    }
    return DomainParticipantFactory::get_instance()->create_participant(domain, qos);
}

Topic *open_topic(DomainParticipant *participant, const char *name)
{
    static const TypeSupport type(new sensor_msgs::msg::dds_::PointCloud2_PubSubType);
    type.register_type(participant);
    return participant->create_topic(name, type.get_type_name(), TOPIC_QOS_DEFAULT);
}

DataReader *open_reader(DomainParticipant *participant, const char *name)
{
    DataReaderQos qos = DATAREADER_QOS_DEFAULT;
    qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
    qos.history().depth = 20;
    return participant->create_subscriber(SUBSCRIBER_QOS_DEFAULT)
        ->create_datareader(open_topic(participant, name), qos);
}

DataWriter *open_writer(DomainParticipant *participant, const char *name)
{
    DataWriterQos qos = DATAWRITER_QOS_DEFAULT;
    qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
    qos.history().depth = 20;
    qos.publish_mode().kind = ASYNCHRONOUS_PUBLISH_MODE; /* for messages in fragments */
    return participant->create_publisher(PUBLISHER_QOS_DEFAULT)
        ->create_datawriter(open_topic(participant, name), qos);
}

bool is_field(const Field &field, const char *name, uint32_t offset, uint8_t type, uint32_t count)
{
    return field.name() == name && field.offset() == offset && field.datatype() == type &&
           field.count() == count;
}

/* As content.c's check_cloud. */
bool is_right(const Cloud &cloud)
{
    uint32_t number = cloud.header().stamp().nanosec();
    const auto &fields = cloud.fields();
    bool right = cloud.header().stamp().sec() == 1700000000 &&
                 cloud.header().frame_id() == "lidar_front" && cloud.height() == 1 &&
                 fields.size() == 4 && is_field(fields[0], "x", 0, 7, 1) &&
                 is_field(fields[1], "y", 4, 7, 1) && is_field(fields[2], "z", 8, 7, 1) &&
                 is_field(fields[3], "intensity", 12, 4, 2) && !cloud.is_bigendian() &&
                 cloud.is_dense() == (number % 2 != 0) && cloud.point_step() == 16 &&
                 cloud.row_step() == 16 * cloud.width() && cloud.data().size() == cloud.row_step();
    for (uint32_t i = 0; right && i < cloud.data().size(); i++)
        right = cloud.data()[i] == static_cast<uint8_t>((i * 2654435761u + number * 40503u) >> 13);
    return right;
}
} // namespace

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    DomainParticipant *participant =
        join(static_cast<uint32_t>(std::strtoul(argv[1], nullptr, 10)));
    if (!participant)
        return 1;
    DataReader *reader = open_reader(participant, argv[2]);
    DataWriter *writer = open_writer(participant, argv[3]);
    if (!reader || !writer)
        return 1;
    std::puts("ready");
    std::fflush(stdout);
    for (;;) {
        Cloud cloud;
        SampleInfo info;
        reader->wait_for_unread_message({1, 0});
        while (reader->take_next_sample(&cloud, &info) == ReturnCode_t::RETCODE_OK) {
            if (!info.valid_data)
                continue;
            if (!is_right(cloud) || !writer->write(&cloud)) {
                std::fprintf(stderr, "cloud %u is wrong, or was not written\n",
                             cloud.header().stamp().nanosec());
                std::_Exit(1);
            }
        }
    }
}
